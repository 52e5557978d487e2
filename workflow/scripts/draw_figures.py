from pathlib import Path

import pandas as pd

from lungpipe.reporting.figures import FigureInputs, draw_figures
from lungpipe.reporting.judged import Judged
from lungpipe.services.job import open_job
from lungpipe.tables import HISTORY, SCORED, read_table
from lungpipe.volumes.collection import locate_stores

with open_job(snakemake) as job:
    judged = Judged.read(Path(snakemake.input.evaluation).parent, Path(snakemake.input.series))
    histories = {
        role: {
            fold: read_table(Path(path), HISTORY)
            for fold, path in zip(judged.report["folds"], snakemake.input[role], strict=True)
        }
        for role in ("detector", "scorer")
        if snakemake.input[role]
    }
    scored = pd.concat([read_table(Path(path), SCORED) for path in snakemake.input.scored], ignore_index=True)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    folder = Path(snakemake.output.froc).parent
    draw_figures(FigureInputs(judged, histories, scored, stores), folder)
    for path in snakemake.output:
        job.stage.log_artifact(Path(path))
