from pathlib import Path

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import PreprocessingSettings

subset, params = int(snakemake.wildcards.subset), snakemake.params
address, worker_mib = snakemake.resources.get("scheduler_address"), snakemake.resources.mem_mb_per_cpu
# `--resources` may grant less than the rule asks for: then fewer scans at a time, and at least one
num_granted = max(snakemake.resources.mem_mib // worker_mib, 1)
worker_mib = worker_mib if address else min(worker_mib, snakemake.resources.mem_mib)
surroundings = {"scheduler_address": address, "worker_memory_gib": worker_mib / 1024}
request = PrepareRequest(
    settings=PreprocessingSettings.model_validate(params.settings | surroundings),
    subset=subset,
    code=params.volume_code,
    whole_scans=frozenset(params.whole_scans),
)
with open_job(snakemake, subset=subset) as job:
    scans = [ScanFiles.from_texts(texts) for texts in params.scans]
    folder = Path(snakemake.output.manifest).parent
    workers = min(share_of_cores(snakemake.threads), num_granted)
    job.expect(len(scans))
    result = prepare_subset(scans, folder, request, num_workers=workers, log=job.say, on_done=job.advance)
    counts = {"kept": result.num_kept, "computed": result.num_computed, "failed": result.num_failed}
    job.log(0, {f"num_{name}": count for name, count in counts.items()})
