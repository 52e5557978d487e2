"""All figures of an evaluated study: PNG files to share, and the charts and pictures of the report page."""

from dataclasses import dataclass
from pathlib import Path

from lungpipe.reporting.candidates_figure import draw_candidates
from lungpipe.reporting.charts.study import ChartInputs, draw_charts
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.examples import NUM_PICTURES, pick_examples
from lungpipe.reporting.froc_figure import draw_froc
from lungpipe.reporting.pictures.deciding import draw_deciding
from lungpipe.reporting.pictures.findings import Places, draw_gallery
from lungpipe.reporting.style import house_style
from lungpipe.reporting.training_figure import Histories, draw_training
from lungpipe.tables import write_digests, write_json

NUM_EXAMPLES = 6
"""Patches in a row of the montage, so that each is large enough on a page."""
CHARTS, PICTURES = "charts.json", "pictures.json"


@dataclass(frozen=True, slots=True)
class FigureInputs:
    """The content of the figures: the evaluation, every network's histories, places of scans, the label's rule."""

    stored: StoredEvaluation
    histories: Histories
    places: Places
    malignancy_rule: str


def draw_figures(inputs: FigureInputs, folder: Path) -> None:
    """Write froc.png, training.png, candidates.png, charts.json, pictures.json and digests.json.

    The same inputs give the same bytes. Charts and pictures hold what the page shows, as SVG and as JPEG; the digests
    are theirs. No file names a series or a patient.
    """
    folder, stored = Path(folder), inputs.stored
    with house_style():
        draw_froc(stored.froc, stored.band, folder / "froc.png", summary=stored.summary)
        draw_training(inputs.histories, folder / "training.png")
        examples = pick_examples(stored.matches, NUM_EXAMPLES)
        draw_candidates(examples, inputs.places.stores, NUM_EXAMPLES, folder / "candidates.png")
        charts = draw_charts(ChartInputs(stored, inputs.histories, inputs.malignancy_rule))
    write_json(folder / CHARTS, [chart.to_json() for chart in charts])
    galleries = [draw_gallery(kind, inputs.places) for kind in pick_examples(stored.matches, NUM_PICTURES)]
    write_json(folder / PICTURES, {"findings": galleries, "patients": draw_deciding(stored.patients, inputs.places)})
    write_digests([folder / CHARTS, folder / PICTURES], folder)
