from pathlib import Path

from lungpipe.datasets.luna16 import list_scans
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import NODULES, read_table
from lungpipe.volumes.prepare import PrepareRequest, prepare_subset

subset = int(snakemake.wildcards.subset)
surroundings = {
    "scheduler_address": snakemake.resources.get("scheduler_address"),
    "worker_memory_gib": snakemake.resources.mem_mib / snakemake.threads / 1024,
}
request = PrepareRequest(
    settings=PreprocessingSettings.model_validate(snakemake.params.settings | surroundings),
    nodules=read_table(Path(snakemake.input.nodules), NODULES),
    subset=subset,
    code=snakemake.params.code,
)
with open_job(snakemake, subset=subset) as job:
    scans = list_scans(Path(snakemake.params.root), subset)
    folder = Path(snakemake.output.manifest).parent
    workers = share_of_cores(snakemake.threads)
    job.expect(len(scans))
    result = prepare_subset(scans, folder, request, num_workers=workers, log=job.say, on_done=job.advance)
    counts = {"kept": result.num_kept, "computed": result.num_computed, "failed": result.num_failed}
    job.log(0, {f"num_{name}": count for name, count in counts.items()})
