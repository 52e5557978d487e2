from pathlib import Path

from lungpipe.preparation.accounting import (
    account_scans,
    key_figures,
    read_subsets,
    refuse_doubles,
    refuse_failures,
)
from lungpipe.services.job import open_job
from lungpipe.tables import QC, REFERENCES, SERIES, read_table, write_csv, write_digests
from lungpipe.volumes.manifest import read_manifest

with open_job(snakemake) as job:
    qc = read_subsets(snakemake.input.qc, QC)
    references = read_subsets(snakemake.input.references, REFERENCES)
    series = read_table(Path(snakemake.input.series), SERIES)
    accounting = account_scans(qc, references, series)
    job.say(accounting.to_string(index=False))
    refuse_doubles((entry for path in snakemake.input.manifests for entry in read_manifest(Path(path))), series)
    if snakemake.params.is_failure_fatal:
        refuse_failures(qc)
    write_csv(accounting, Path(snakemake.output.accounting))
    write_digests([Path(snakemake.output.accounting)], Path(snakemake.output.digests).parent)
    job.log_result(key_figures(accounting), [Path(snakemake.output.accounting)])
