from pathlib import Path

from lungpipe.reporting.figures import FigureInputs, draw_figures
from lungpipe.reporting.judged import Judged
from lungpipe.services.job import open_job
from lungpipe.tables import HISTORY, read_table
from lungpipe.volumes.collection import locate_stores

with open_job(snakemake) as job:
    judged = Judged.read(Path(snakemake.input.evaluation).parent)
    histories = {
        network: {
            fold: read_table(Path(path), HISTORY)
            for fold, path in zip(judged.report["folds"], snakemake.input[network], strict=True)
        }
        for network in ("segmenter", "classifier")
    }
    stores = locate_stores(map(Path, snakemake.input.manifests))
    folder = Path(snakemake.output.froc).parent
    draw_figures(FigureInputs(judged, histories, stores), folder)
    for path in snakemake.output:
        job.stage.log_artifact(Path(path))
