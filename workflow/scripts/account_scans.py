from pathlib import Path

from lungpipe.services.job import open_job
from lungpipe.services.tracking import RunReference, finish_study
from lungpipe.tables import QC, SERIES, read_table, replacing
from lungpipe.volumes.accounting import account_scans, refuse_failures

with open_job(snakemake) as job:
    qc = [read_table(Path(path), QC) for path in snakemake.input.qc]
    accounting = account_scans(qc, read_table(Path(snakemake.input.series), SERIES))
    job.say(accounting.to_string(index=False))
    if snakemake.params.is_failure_fatal:
        refuse_failures(qc)
    with replacing(Path(snakemake.output.accounting)) as temporary:
        accounting.to_csv(temporary, index=False)
    counts = {f"num_{name}": int(number) for name, number in accounting.iloc[-1].drop("subset").items()}
    job.log(0, counts)
    finish_study(RunReference.read(Path(snakemake.params.run)), counts, [Path(snakemake.output.accounting)])
