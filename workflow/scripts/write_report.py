from datetime import UTC, datetime
from pathlib import Path

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.computed import read_computed
from lungpipe.reporting.other_studies import read_other_studies
from lungpipe.reporting.page_inputs import Origin, PageInputs
from lungpipe.reporting.report import write_report
from lungpipe.reporting.stage_times import read_benchmarks
from lungpipe.services.commands import study_command
from lungpipe.services.job import RAN_SUFFIX, open_job
from lungpipe.services.provenance import environment, machine
from lungpipe.services.tracking.links import find_runs
from lungpipe.tables import check_digests

with open_job(snakemake) as job:
    check_digests(Path(snakemake.input.evaluation).parent, STUDY_FILES)
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
    inputs = PageInputs.read(snakemake.input, snakemake.params.study, origin, read_other_studies(folder))
    for path in write_report(inputs, folder):
        job.log_artifact(path, on_parent=True)
