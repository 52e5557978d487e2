from pathlib import Path

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.evaluation.whole_scans import read_whole_scans
from lungpipe.export.model_folder import Evidence, write_model_folder
from lungpipe.services.job import open_job
from lungpipe.settings import ModelSettings
from lungpipe.tables import check_digests, read_json_object

about = ModelSettings.model_validate(snakemake.params.settings["model"])
with open_job(snakemake) as job:
    paths = snakemake.input
    check_digests(Path(paths.evaluation).parent, STUDY_FILES)
    summary = read_json_object(Path(paths.evaluation), "the evaluation of the study")
    whole = read_whole_scans(Path(paths.whole_scans))
    evidence = Evidence(summary, whole, snakemake.params.malignancy_rule)
    models = {"detector": Path(paths.detector)} | {path.stem: path for path in map(Path, paths.scorer)}
    write_model_folder(models, Path(snakemake.output.files[0]).parent, about, evidence)
    for path in snakemake.output.files:
        job.log_artifact(Path(path))
