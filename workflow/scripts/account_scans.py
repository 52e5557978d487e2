from pathlib import Path

from lungpipe.services.job import open_job
from lungpipe.services.tracking import RunReference, finish_study
from lungpipe.tables import QC, SERIES, read_table, replacing
from lungpipe.volumes.accounting import account_scans, key_figures, refuse_failures

with open_job(snakemake) as job:
    qc = [read_table(Path(path), QC) for path in snakemake.input.qc]
    accounting = account_scans(qc, read_table(Path(snakemake.input.series), SERIES))
    job.say(accounting.to_string(index=False))
    if snakemake.params.is_failure_fatal:
        refuse_failures(qc)
    with replacing(Path(snakemake.output.accounting)) as temporary:
        accounting.to_csv(temporary, index=False)
    figures = key_figures(accounting)
    job.log(0, figures)
    finish_study(RunReference.read(Path(snakemake.params.run)), figures, [Path(snakemake.output.accounting)])
