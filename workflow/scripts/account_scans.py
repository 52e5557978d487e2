from pathlib import Path

from lungpipe.preparation.accounting import account_scans, key_figures, refuse_doubles, refuse_failures
from lungpipe.services.job import open_job
from lungpipe.tables import QC, REFERENCES, SERIES, read_table, write_csv
from lungpipe.volumes.manifest import read_manifest

with open_job(snakemake) as job:
    qc = [read_table(Path(path), QC) for path in snakemake.input.qc]
    references = [read_table(Path(path), REFERENCES) for path in snakemake.input.references]
    series = read_table(Path(snakemake.input.series), SERIES)
    accounting = account_scans(qc, references, series)
    job.say(accounting.to_string(index=False))
    refuse_doubles((entry for path in snakemake.input.manifests for entry in read_manifest(Path(path))), series)
    if snakemake.params.is_failure_fatal:
        refuse_failures(qc)
    write_csv(accounting, Path(snakemake.output.accounting))
    job.log_result(key_figures(accounting), [Path(snakemake.output.accounting)])
