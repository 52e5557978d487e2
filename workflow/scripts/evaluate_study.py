from pathlib import Path

import pandas as pd

from lungpipe.evaluation.evaluate_study import evaluate_study, headline, write_study
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.services.job import open_job
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import EXCLUSIONS, NODULES, PATIENTS, SCORED, SERIES, read_table

settings = EvaluationSettings.model_validate(snakemake.params.settings["evaluation"])
with open_job(snakemake) as job:
    per_fold = {"scored": SCORED, "patients": PATIENTS, "validation": SCORED}
    joined = {
        name: pd.concat([read_table(Path(path), contract) for path in snakemake.input[name]], ignore_index=True)
        for name, contract in per_fold.items()
    }
    truth = {"series": SERIES, "nodules": NODULES, "exclusions": EXCLUSIONS}
    tables = StudyTables(**joined, **{name: read_table(Path(snakemake.input[name]), truth[name]) for name in truth})
    params = snakemake.params
    evaluation = evaluate_study(tables, settings, folds=params.folds, num_subsets=params.num_subsets, seed=params.seed)
    folder = Path(snakemake.output.evaluation).parent
    write_study(evaluation, tables.patients, folder)
    data = [Path(snakemake.input.series), Path(snakemake.input.nodules)]
    # not evaluation.json: its warnings name series, and no identifier leaves the results folder
    job.log_result(headline(evaluation.summary), [Path(snakemake.output.froc)], data)
