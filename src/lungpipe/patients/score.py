"""Scores of given positions in scans outside a study: one scan, a store, or a dataset in LUNA16's layout."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.calibration import logistic
from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.scoring import with_detector_odds
from lungpipe.models.hardware import name_hardware
from lungpipe.models.stored import has_role, load_role
from lungpipe.patients.detect import Say, Search, is_dataset, list_dataset, load_detector, open_scan
from lungpipe.patients.nearby import find_nearby
from lungpipe.settings.recipe import TrainedScorer
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.characteristics import EXPECTED_RATING_COLUMNS
from lungpipe.tables.errors import InputError
from lungpipe.volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scored rows in the candidates' order, the scans' UIDs, and reasons of refused rows and of failed scans.

    table: the candidates' columns, `probability`, `malignancy`, and with a scorer that rates `rating_<characteristic>`.
    refused: reason by row of the candidates (from 0). failures: reason by series UID. num_others: rows of other series.
    """

    table: pd.DataFrame
    series: tuple[str, ...]
    refused: dict[int, str]
    failures: dict[str, str]
    num_others: int


def load_scorer(path: Path, device: str, num_threads: int, *, key_file: Path | None = None) -> Scorer:
    """Return the scorer of a model file, a model's folder or a bundle, with its own inference settings.

    The hardware is that of `name_hardware`. `key_file` holds the key of an encrypted bundle.

    Raises:
        ValueError: no model, or no scorer; a device that this machine does not have.
        FileNotFoundError: no such file.
    """
    hardware = name_hardware(device, num_threads)
    model = load_role(path, "scorer", key_file)
    return Scorer(model, TrainedScorer.model_validate(model.card.settings).inference, hardware)


def load_finder(
    path: Path, candidates: pd.DataFrame, device: str, num_threads: int, *, key_file: Path | None = None
) -> Detector | None:
    """Return the detector of a model's folder or bundle if candidates lack diameters; None where there is none.

    Raises:
        ValueError: see `load_detector`.
    """
    is_needed = bool(np.isnan(_diameters(candidates)).any())
    if not is_needed or not has_role(path, "detector", key_file):
        return None
    return load_detector(path, device, num_threads, key_file=key_file)


def score_positions(
    scorer: Scorer,
    source: Path,
    candidates: pd.DataFrame,
    search: Search,
    *,
    say: Say,
    on_remark: Say,
    detector: Detector | None = None,
) -> Scored:
    """Score the candidates (columns of `read_positions`) in one scan or store, or in the scans of a dataset's folder.

    Where a diameter is missing, the `detector`, if there is one, looks for the finding at the position. Without a
    column `probability` the score of that finding counts as in a search.

    Rows of other series are counted and left out. A position outside its scan is refused; near the border the
    nearest voxels repeat. In a dataset a scan that fails is kept as its reason, and the others go on. `say` gets a line
    per scan, `on_remark` each remark of a reader.

    Raises:
        InputError: no row of the scan, or of any scan of the dataset.
        ValueError: a single scan or store that cannot be used; a dataset without scans.
    """
    table = candidates.reset_index(drop=True)
    if is_dataset(source):
        scans = {uid: path for uid, path in list_dataset(source).items() if uid in set(table["series_uid"])}
        volumes = _open_each(scans, search, scorer, on_remark=on_remark)
    else:
        volume = open_scan(source, search, scorer.card.spacing_zyx_mm, on_remark=on_remark)
        volumes = iter([(volume.series_uid, volume)])
    parts: list[pd.DataFrame] = []
    refused: dict[int, str] = {}
    failures: dict[str, str] = {}
    series: list[str] = []
    for series_uid, found in volumes:
        series.append(series_uid)
        rows = np.flatnonzero(table["series_uid"] == series_uid)
        if not isinstance(found, str) and len(rows):
            part, outside = _score_rows(scorer, detector, found, (table, rows))
            parts.append(part)
            refused |= outside
        elif isinstance(found, str):
            failures[series_uid] = found
        say(f"{series_uid}: {'failed' if series_uid in failures else f'{len(rows)} positions'}")
    num_others = int((~table["series_uid"].isin(series)).sum())
    if num_others == len(table):
        known = series[0] if len(series) == 1 else f"one of the scans in {source}"
        raise InputError(f"candidates: expected rows of the series {known}, found none in {len(table)} rows")
    scored = pd.concat(parts).sort_index() if parts else _add_scores(scorer, table.iloc[:0], np.zeros((0, 2)), None)
    return Scored(scored.reset_index(drop=True), tuple(series), refused, failures, num_others)


def _open_each(
    scans: dict[str, Path], search: Search, scorer: Scorer, *, on_remark: Say
) -> Iterable[tuple[str, Volume | str]]:
    """Yield each scan of a dataset opened, or the reason why it could not be."""
    for series_uid, path in scans.items():
        try:
            yield series_uid, open_scan(path, search, scorer.card.spacing_zyx_mm, on_remark=on_remark)
        except Exception as error:  # noqa: BLE001 - one bad scan must not end the others; its reason is told at the end
            yield series_uid, str(error) or type(error).__name__


def _score_rows(
    scorer: Scorer, detector: Detector | None, volume: Volume, chosen: tuple[pd.DataFrame, NDArray[np.intp]]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Return the scored rows of the table, and the reasons of rows outside the volume; both name rows of the table."""
    table, rows = chosen
    centers = table.loc[rows, list(CENTER_COLUMNS)].to_numpy(dtype=np.float64)
    is_inside = volume.grid.contains(centers)
    refused = {}
    for row, center in zip(rows[~is_inside], centers[~is_inside], strict=True):
        place = ", ".join(f"{value:.1f}" for value in reversed(center))
        refused[int(row)] = f"series {volume.series_uid}: expected a position inside the scan, found ({place}) mm"
    own = table.loc[rows[is_inside]]
    diameters, detected = _diameters(own), _column(own, "probability")
    if detector is not None and np.isnan(diameters).any():
        nearby = find_nearby(detector, volume, centers[is_inside])
        diameters = np.where(np.isnan(diameters), nearby.diameters_mm, diameters)
        detected = detected if "probability" in own else nearby.scores
    scores = scorer.score(volume, centers[is_inside], diameters)
    logits = scores.nodule_logits
    if scorer.inference.has_detector_odds:
        logits = with_detector_odds(scorer.card, logits, detected)
    probability = logistic(logits)
    return _add_scores(scorer, own, np.column_stack([probability, scores.malignancy]), scores.expected_ratings), refused


def _diameters(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the diameters (mm), NaN where they are missing; LUNA16's -1 means a missing one, too."""
    diameters = _column(table, "diameter_mm")
    return np.where(diameters > 0, diameters, np.nan)


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column, or NaN for each row of a table without it."""
    return table[name].to_numpy(dtype=np.float64) if name in table else np.full(len(table), np.nan)


def _add_scores(
    scorer: Scorer, rows: pd.DataFrame, values: NDArray[np.float64], ratings: NDArray[np.float64] | None
) -> pd.DataFrame:
    columns = {"probability": values[:, 0], "malignancy": values[:, 1]}
    if "ratings" in scorer.card.part.network.heads:
        expected = np.zeros((len(rows), len(EXPECTED_RATING_COLUMNS))) if ratings is None else ratings
        columns |= {name: expected[:, place] for place, name in enumerate(EXPECTED_RATING_COLUMNS.values())}
    return rows.drop(columns="probability", errors="ignore").assign(**columns)
