from pathlib import Path

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.preparation.compare_lungs import CompareRequest, compare_lungs
from lungpipe.preparation.workers import Workers
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.tables import REFERENCES, write_table

subset, params = int(snakemake.wildcards.subset), snakemake.params
granted_mib, worker_mib = snakemake.resources.mem_mib, snakemake.resources.mem_mb_per_cpu
# `--resources` may grant less than the rule asks for: then fewer scans at a time, and at least one
num_threads = min(share_of_cores(snakemake.threads), max(granted_mib // worker_mib, 1))
with open_job(snakemake, subset=subset) as job:
    scans = [ScanFiles.from_texts(texts) for texts in params.scans]
    folder = Path(snakemake.input.manifest).parent
    workers = Workers(num_threads, min(worker_mib, granted_mib) * 2**20)
    table = compare_lungs(scans, folder, CompareRequest(subset, params.is_whole), workers, log=job.say)
    write_table(table, Path(snakemake.output.references), REFERENCES)
    num_refused = int((table["reference_reason"] != "").sum())
    job.log(0, {"num_compared": len(table) - num_refused, "num_not_compared": num_refused})
