from pathlib import Path

import pandas as pd

from lungpipe.evaluation.evaluate_study import evaluate_study, headline, write_study
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.patients.aggregate import aggregate_folds
from lungpipe.services.job import open_job
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import EXCLUSIONS, NODULES, SCORED, SERIES, read_table

settings = EvaluationSettings.model_validate(snakemake.params.settings["evaluation"])
params = snakemake.params
with open_job(snakemake) as job:
    scored, validation = (
        pd.concat([read_table(Path(path), SCORED) for path in snakemake.input[name]], ignore_index=True)
        for name in ("scored", "validation")
    )
    truth = {"series": SERIES, "nodules": NODULES, "exclusions": EXCLUSIONS}
    truth = {name: read_table(Path(snakemake.input[name]), contract) for name, contract in truth.items()}
    rule = settings.malignancy_rule
    patients = aggregate_folds(scored, truth["series"], truth["nodules"], folds=params.folds, rule=rule)
    tables = StudyTables(scored=scored, patients=patients, validation=validation, **truth)
    evaluation = evaluate_study(tables, settings, folds=params.folds, num_subsets=params.num_subsets, seed=params.seed)
    write_study(evaluation, patients, Path(snakemake.output.evaluation).parent)
    data = [Path(snakemake.input.series), Path(snakemake.input.nodules)]
    # not evaluation.json: its warnings name series, and no identifier leaves the results folder
    job.log_result(headline(evaluation.summary), [Path(snakemake.output.froc)], data)
