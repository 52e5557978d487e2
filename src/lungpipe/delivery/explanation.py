"""Write where a scorer looks: a folder with a table, the heat map on the scan's grid, and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.datasets.scan import Scan
from lungpipe.delivery.outputs import IMAGE_NOTE, check_output, replacing_folder
from lungpipe.evaluation.submission import read_positions, write_positions
from lungpipe.explain.candidates import PatchMap, explain_candidates
from lungpipe.explain.feature_map import Output
from lungpipe.explain.gradcam import METHOD_NAMES, Method
from lungpipe.explain.paste import paste_maps
from lungpipe.geometry import Grid
from lungpipe.geometry.grid import Triple
from lungpipe.models import Hardware, Model
from lungpipe.prediction.source import open_source
from lungpipe.preparation.image_files import write_image
from lungpipe.preparation.volume import find_lungs, require_lungs
from lungpipe.reporting.heat_overlays import HeatPicture, draw_heat
from lungpipe.resampling.resample import resample
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.errors import InputError
from lungpipe.volumes.volume import MemoryVolume

TABLE_FILE = "explanation.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A scan as a volume of the model's spacing, in memory, and the scan's own grid."""

    volume: MemoryVolume
    scan_grid: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Candidates (series_uid, centres, diameter_mm and probability where the file has them) and their maps."""

    candidates: pd.DataFrame
    maps: tuple[PatchMap, ...]
    output: Output
    method: Method = "gradcam"

    @property
    def title(self) -> str:
        """What the maps show: `Grad-CAM of nodule`."""
        return f"{METHOD_NAMES[self.method]} of {self.output}"

    @property
    def heat_file(self) -> str:
        """File name of the heat map on the scan's grid."""
        return f"{self.method}.nii.gz"


def open_explained(
    source: Path,
    spacing_zyx_mm: Triple,
    series_uid: str | None = None,
    *,
    has_lungs: bool = False,
    threads: int = 1,
    on_remark: Callable[[str], None] | None = None,
) -> Opened:
    """Open a scan of any format, or a store of the model's spacing (zyx, mm); `has_lungs` also finds the lungs.

    Raises:
        RefusedScanError: a scan or store that cannot be used.
        ScanError: `has_lungs`, and the scan shows no lungs.
    """
    opened = open_source(source, series_uid, spacing_zyx_mm)
    if isinstance(opened, MemoryVolume):
        return Opened(opened, opened.grid)
    return Opened(
        _resampled(opened, source, spacing_zyx_mm, has_lungs=has_lungs, threads=threads, on_remark=on_remark),
        opened.grid,
    )


def choose_candidates(path: Path, volume: MemoryVolume, *, threshold: float, most: int) -> pd.DataFrame:
    """Return the rows of a scan in a CSV of positions: at most `most`, the most probable ones first.

    Rows of other series, and rows with a `probability` below the threshold, are left out.

    Raises:
        InputError: a file that cannot be read; no row of the scan; a position outside the scan.
    """
    table = read_positions(path)
    own = table[table["series_uid"] == volume.series_uid]
    if not len(own):
        found = f"found none in {len(table)} rows"
        raise InputError(f"{path}: expected rows of the series {volume.series_uid}, {found}")
    if "probability" in own:
        own = own[own["probability"] >= threshold].sort_values("probability", ascending=False, kind="stable")
    own = own.head(most)
    is_inside = volume.grid.contains(own[list(CENTER_COLUMNS)].to_numpy())
    if not is_inside.all():
        row = own.index[int(np.argmin(is_inside))]
        place = ", ".join(f"{own.loc[row, name]:.1f}" for name in reversed(CENTER_COLUMNS))
        raise InputError(f"{path}, row {row + 1}: expected a position inside the scan, found ({place}) mm")
    return own.reset_index(drop=True)


def explain(
    model: Model,
    opened: Opened,
    candidates: pd.DataFrame,
    *,
    output: Output,
    method: Method = "gradcam",
    hardware: Hardware,
) -> Explanation:
    """Return the maps of candidates (columns of `read_positions`)."""
    diameters = candidates["diameter_mm"].to_numpy() if "diameter_mm" in candidates else None
    known = None if diameters is None else np.where(diameters > 0, diameters, np.nan)
    centers = candidates[list(CENTER_COLUMNS)].to_numpy()
    maps = explain_candidates(model, opened.volume, centers, known, output=output, method=method, hardware=hardware)
    return Explanation(candidates, maps, output, method)


def write_explanation(explanation: Explanation, opened: Opened, folder: Path, *, is_forced: bool = False) -> Path:
    """Write table, heat map and pictures into a new or an empty folder, all of them or nothing; return the folder.

    Raises:
        OutputError: a folder that must not be written to.
    """
    with replacing_folder(Path(folder), is_forced=is_forced, marker=TABLE_FILE) as draft:
        table = explanation_table(explanation)
        write_positions(table, draft / TABLE_FILE)
        heat = paste_maps(explanation.maps, opened.scan_grid)
        write_image(draft / explanation.heat_file, heat, opened.scan_grid, note=IMAGE_NOTE)
        for number, (row, heat_map) in enumerate(zip(table.to_dict("records"), explanation.maps, strict=True), start=1):
            center = tuple(float(row[name]) for name in CENTER_COLUMNS)
            diameter = float(row.get("diameter_mm", np.nan))
            shown = HeatPicture(
                heat_map,
                (center[0], center[1], center[2]),
                diameter if diameter > 0 else None,
                _caption(f"candidate {number}   {explanation.title}", row),
            )
            draw_heat(opened.volume, shown, draft / f"candidate-{number:02d}.png")
    return Path(folder)


def check_folder(folder: Path, *, is_forced: bool) -> None:
    """Refuse a folder that must not be written to, before anything is computed; raises OutputError."""
    check_output(Path(folder), is_forced=is_forced, marker=TABLE_FILE)


def explanation_table(explanation: Explanation) -> pd.DataFrame:
    """Return the candidates with output, method, logit, the map's maximum, and how much of the map is in the nodule.

    `share_in_nodule` is the share of the map's sum within the sphere of the diameter, NaN for an unknown diameter or a
    map of 0. `share_of_patch` is the sphere's share of the patch's volume: what an even map would have.
    """
    rows = []
    for heat, row in zip(explanation.maps, explanation.candidates.to_dict("records"), strict=True):
        diameter = float(row.get("diameter_mm", np.nan))
        center = [float(row[name]) for name in CENTER_COLUMNS]
        volume = np.prod(heat.grid.shape_zyx) * heat.grid.voxel_volume_mm3
        is_known = diameter > 0
        rows.append(
            {
                "output": explanation.output,
                "method": explanation.method,
                "logit": heat.logit,
                "map_maximum": heat.maximum,
                "share_in_nodule": heat.share_within(center, diameter) if is_known else np.nan,
                "share_of_patch": np.pi / 6.0 * diameter**3 / volume if is_known else np.nan,
            }
        )
    columns = ["output", "method", "logit", "map_maximum", "share_in_nodule", "share_of_patch"]
    return explanation.candidates.join(pd.DataFrame(rows, columns=columns))


def _resampled(
    scan: Scan,
    source: Path,
    spacing_zyx_mm: Triple,
    *,
    has_lungs: bool,
    threads: int,
    on_remark: Callable[[str], None] | None,
) -> MemoryVolume:
    for remark in scan.remarks:
        if on_remark is not None:
            on_remark(remark)
    grid = scan.grid.resampled(spacing_zyx_mm)
    hu = resample(scan, grid, threads=threads)
    settings = PreprocessingSettings(spacing_zyx_mm=spacing_zyx_mm)
    lungs = require_lungs(find_lungs(hu, grid, settings), Path(source)) if has_lungs else None
    return MemoryVolume(scan.series_uid, grid, hu, lungs)


def _caption(title: str, row: dict[str, object]) -> str:
    text = f"{title}   logit {row['logit']:.2f}"
    if not row["map_maximum"]:
        return f"{text}   nothing in the patch raises the output"
    share, even = float(str(row["share_in_nodule"])), float(str(row["share_of_patch"]))
    if np.isnan(share):
        return text
    return f"{text}   {100 * share:.0f} % of the map in the nodule, which is {100 * even:.1f} % of the patch"
