from pathlib import Path

from lungpipe.preparation.import_scan import import_scan
from lungpipe.services.job import open_job

with open_job(snakemake) as job:
    job.expect(len(snakemake.params.scans))
    for source, series_uid, header in snakemake.params.scans:
        import_scan(Path(source), series_uid, Path(header), on_remark=job.say)
        job.advance(f"{series_uid}: copied from {source}")
