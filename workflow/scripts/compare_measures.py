from pathlib import Path

import pandas as pd

from lungpipe.evaluation.malignancy_cases import MalignancyTables, list_cases
from lungpipe.evaluation.malignancy_study import study_cases, write_study
from lungpipe.services.job import open_job
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import MEASURES, NODULES, RATINGS, SERIES, read_table

settings = EvaluationSettings.model_validate(snakemake.params.settings["evaluation"])
contracts = {"series": SERIES, "nodules": NODULES, "ratings": RATINGS}
with open_job(snakemake) as job:
    truth = {name: read_table(Path(snakemake.input[name]), contract) for name, contract in contracts.items()}
    measures = pd.concat([read_table(Path(path), MEASURES) for path in snakemake.input.measures], ignore_index=True)
    cases = list_cases(MalignancyTables(**truth, measures=measures), settings.malignancy_rule)
    study = study_cases(cases, settings.malignancy_rule, settings.num_bootstraps, seed=snakemake.params.seed)
    write_study(study, Path(snakemake.output.summary).parent)
    job.log_result(study.headline, [Path(snakemake.output.methods)], [Path(snakemake.input.nodules)])
