from dataclasses import replace
from pathlib import Path

from lungpipe.evaluation.evaluate_study import evaluate_study, headline, write_study
from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.evaluation.whole_scans import whole_scan_figures, whole_scan_table
from lungpipe.patients.aggregate import aggregate_folds
from lungpipe.services.job import open_job
from lungpipe.settings import EvaluationSettings
from lungpipe.settings.recipe import PatientSettings
from lungpipe.tables import write_csv
from lungpipe.volumes.manifest import read_manifest

params, settings = snakemake.params, EvaluationSettings.model_validate(snakemake.params.settings["evaluation"])
with open_job(snakemake) as job:
    read = StudyTables.read(snakemake.input, folds=params.folds, num_subsets=params.num_subsets)
    whole, tables = whole_scan_table(read, params.whole_scans, params.folds), read.without(params.whole_scans)
    grids = {entry.series_uid: entry.grid for path in snakemake.input.manifests for entry in read_manifest(Path(path))}
    by = {"rule": settings.malignancy_rule, "patient": PatientSettings.model_validate(params.settings["patient"])}
    patients = aggregate_folds(tables, folds=params.folds, grids=grids, **by)
    tables = replace(tables, patients=patients)
    evaluation = evaluate_study(tables, settings, folds=params.folds, num_subsets=params.num_subsets, seed=params.seed)
    write_csv(whole, Path(snakemake.output.whole_scans))
    write_study(evaluation, tables, Path(snakemake.output.evaluation).parent, rule=settings.malignancy_rule)
    data = [Path(snakemake.input.series), Path(snakemake.input.nodules)]
    # not evaluation.json: its warnings name series, and no identifier leaves the results folder
    figures = headline(evaluation.summary) | whole_scan_figures(whole)
    job.log_result(figures, [Path(snakemake.output.froc)], data)
