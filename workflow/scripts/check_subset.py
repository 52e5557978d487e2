from pathlib import Path

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.preparation.compare_lungs import CompareRequest, compare_lungs
from lungpipe.preparation.qc import QcRequest, check_volumes
from lungpipe.preparation.workers import Workers
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.tables import FAILURES, NODULES, QC, REFERENCES, read_table, write_table

subset, params = int(snakemake.wildcards.subset), snakemake.params
granted_mib, worker_mib = snakemake.resources.mem_mib, snakemake.resources.mem_mb_per_cpu
# `--resources` may grant less than the rule asks for: then fewer scans at a time, and at least one
num_threads = min(share_of_cores(snakemake.threads), max(granted_mib // worker_mib, 1))
with open_job(snakemake, subset=subset) as job:
    scans, folder = [ScanFiles.from_texts(texts) for texts in params.scans], Path(snakemake.input.manifest).parent
    failures = read_table(Path(snakemake.input.failures), FAILURES)
    nodules = read_table(Path(snakemake.input.nodules), NODULES)
    request = QcRequest(subset, nodules, params.margin_mm, params.is_whole, frozenset(params.whole_scans))
    write_table(check_volumes(scans, folder, failures, request, threads=num_threads), Path(snakemake.output.qc), QC)
    workers = Workers(num_threads, min(worker_mib, granted_mib) * 2**20)
    table = compare_lungs(scans, folder, CompareRequest(subset, params.is_whole), workers, log=job.say)
    write_table(table, Path(snakemake.output.references), REFERENCES)
    num_refused = int((table["reference_reason"] != "").sum())
    job.log(0, {"num_compared": len(table) - num_refused, "num_not_compared": num_refused})
