from pathlib import Path

import pandas as pd

from lungpipe.patients.judge import StudyTables, headline, judge_study, write_study
from lungpipe.services.job import open_job
from lungpipe.services.tracking import RunReference, finish_study
from lungpipe.settings import EvaluationSettings
from lungpipe.tables import EXCLUSIONS, NODULES, PATIENTS, SCORED, SERIES, read_table

settings = EvaluationSettings.model_validate(snakemake.params.settings["evaluation"])
with open_job(snakemake) as job:
    tables = StudyTables(
        pd.concat([read_table(Path(path), SCORED) for path in snakemake.input.scored], ignore_index=True),
        pd.concat([read_table(Path(path), PATIENTS) for path in snakemake.input.patients], ignore_index=True),
        read_table(Path(snakemake.input.series), SERIES),
        read_table(Path(snakemake.input.nodules), NODULES),
        read_table(Path(snakemake.input.exclusions), EXCLUSIONS),
    )
    verdict = judge_study(tables, settings, folds=snakemake.params.folds, seed=snakemake.params.seed)
    evaluation = Path(snakemake.output.evaluation)
    write_study(verdict, tables.patients, evaluation.parent)
    job.log(0, headline(verdict.report))
    finish_study(RunReference.read(Path(snakemake.input.run)), headline(verdict.report), [evaluation])
