from pathlib import Path

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.figures import FigureInputs, draw_figures
from lungpipe.reporting.pictures.findings import Places
from lungpipe.services.job import open_job
from lungpipe.tables import CANDIDATE_MASKS, HISTORY, SERIES, check_digests, read_table
from lungpipe.volumes.collection import locate_stores

with open_job(snakemake) as job:
    evaluated = Path(snakemake.input.evaluation).parent
    check_digests(evaluated, STUDY_FILES)
    stored = StoredEvaluation.read(evaluated)
    histories = {
        role: {
            fold: read_table(Path(path), HISTORY)
            for fold, path in zip(stored.summary["folds"], snakemake.input[role], strict=True)
        }
        for role in ("detector", "scorer")
        if snakemake.input[role]
    }
    stores = locate_stores(map(Path, snakemake.input.manifests))
    series = read_table(Path(snakemake.input.series), SERIES)
    found = [read_table(Path(path), CANDIDATE_MASKS) for path in snakemake.input.candidate_masks]
    places = Places.of(stored, series, stores, map(Path, snakemake.input.masks), candidate_masks=found)
    folder = Path(snakemake.output.froc).parent
    draw_figures(FigureInputs(stored, histories, places, snakemake.params.malignancy_rule), folder)
    for name in ("froc", "training", "candidates"):
        job.log_artifact(Path(snakemake.output[name]), on_parent=True)
