from pathlib import Path

from lungpipe.patients.aggregate import aggregate_patients
from lungpipe.services.job import open_job
from lungpipe.tables import NODULES, PATIENTS, SCORED, SERIES, read_table, write_table

fold = int(snakemake.wildcards.fold)
with open_job(snakemake, fold=fold) as job:
    series = read_table(Path(snakemake.input.series), SERIES)
    patients = aggregate_patients(
        read_table(Path(snakemake.input.scored), SCORED),
        series[series["subset"] == fold],
        read_table(Path(snakemake.input.nodules), NODULES),
        fold=fold,
        rule=snakemake.params.malignancy_rule,
    )
    write_table(patients, Path(snakemake.output.patients), PATIENTS)
    job.log(0, {"num_patients": len(patients)})
