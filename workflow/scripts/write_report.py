from datetime import UTC, datetime
from pathlib import Path

from lungpipe.reporting.computed import read_computed
from lungpipe.reporting.other_studies import read_other_studies
from lungpipe.reporting.page_inputs import Origin, PageInputs, check_inputs
from lungpipe.reporting.report import write_report
from lungpipe.reporting.stage_times import read_benchmarks
from lungpipe.services.commands import study_command
from lungpipe.services.job import RAN_SUFFIX, open_job
from lungpipe.services.provenance import environment, machine
from lungpipe.services.tracking.links import find_runs

with open_job(snakemake) as job:
    check_inputs(snakemake.input)
    folder = Path(snakemake.output.page).parent
    origin = Origin(
        software={"commit": job.commit, **environment()},
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=machine(),
        computed=read_computed(folder / "logs", RAN_SUFFIX),
        jobs=read_benchmarks([folder.parent / "benchmarks", folder / "benchmarks"], aside=snakemake.rule),
        command=study_command(job.commit, **snakemake.params.command),
        tracking=find_runs(folder / "tracking", is_store_named=False),
    )
    inputs = PageInputs.read(snakemake.input, snakemake.params.study, origin, read_other_studies(folder, job.say))
    for path in write_report(inputs, folder):
        job.log_artifact(path, on_parent=True)
