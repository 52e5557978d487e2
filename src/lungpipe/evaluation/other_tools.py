"""Read the predictions of nnDetection and of MONAI's detection as marks of a LUNA16 submission."""

import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.tables.errors import InputError
from lungpipe.tables.json_input import parse_json

COLUMNS = ("series_uid", *CENTER_COLUMNS, "probability")
NNDETECTION_ENDING = "_boxes.pkl"
_IMAGE_ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha", ".raw", ".zraw")
_UNDERSCORED_UID = re.compile(r"\d+(_\d+)+")
_MONAI_SCORES = ("score", "label_scores")
_NUMPY = {"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"}
"""Names of NumPy with which arrays are unpickled."""


def read_nndetection(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the marks (COLUMNS; LPS mm) of nnDetection's `<case>_boxes.pkl`; a folder stands for all of its files.

    Boxes are (start 0, start 1, end 0, end 1, start 2, end 2) in voxel indices of the image's array (zyx), restored
    to the image's own grid, as in nnDetection's folders `val_predictions` and `test_predictions`. The case's name
    is the series UID with `_` for `.`. Files can hold nothing but arrays and plain values: other objects are refused,
    since reading them would run their code.

    Raises:
        InputError: no such file, another content, or boxes that were not restored.
    """
    files = [file for path in paths for file in _boxes_files(Path(path))]
    return _table([_read_boxes(file) for file in files])


def read_monai(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the marks (COLUMNS; LPS mm) of the JSON files that MONAI's LUNA16 detection writes, one a fold.

    Both forms are read: a list of scans (the bundle `lung_nodule_ct_detection`, scores in `label_scores`), and such
    lists by part (the tutorial, scores in `score`). Boxes are centre and size (x, y, z) in world mm, LPS. The
    series UID is the name of the image.

    Raises:
        InputError: no such file, or another content.
    """
    return _table([part for path in paths for part in _read_results(Path(path))])


def _boxes_files(path: Path) -> list[Path]:
    files = sorted(path.glob(f"*{NNDETECTION_ENDING}")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: expected files <case>{NNDETECTION_ENDING}, found none")
    return files


def _read_boxes(path: Path) -> pd.DataFrame:
    content = _unpickle(path)
    needed = ("pred_boxes", "pred_scores", "restore", "itk_origin", "itk_spacing", "itk_direction")
    if not isinstance(content, dict) or (missing := [key for key in needed if key not in content]):
        found = "other keys" if isinstance(content, dict) else type(content).__name__
        wanted = ", ".join(missing) if isinstance(content, dict) else ", ".join(needed)
        raise InputError(f"{path}: expected predictions of nnDetection with {wanted}, found {found}")
    if not content["restore"]:
        raise InputError(
            f"{path}: expected boxes on the image's own grid (restore: True), found those of a resampled one"
        )
    boxes = _numbers(path, "pred_boxes", content["pred_boxes"], 6)
    centers_zyx = (boxes[:, [0, 1, 4]] + boxes[:, [2, 3, 5]]) / 2
    try:
        grid = Grid.from_xyz(
            (1, 1, 1), *(np.ravel(content[f"itk_{key}"]).tolist() for key in ("spacing", "origin", "direction"))
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return _marks(
        path, _uid(path.name.removesuffix(NNDETECTION_ENDING)), grid.to_world(centers_zyx), content["pred_scores"]
    )


def _read_results(path: Path) -> list[pd.DataFrame]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a JSON file of MONAI's detection, found {error}") from None
    parts = content.values() if isinstance(content, dict) else [content]
    scans = [scan for part in parts if isinstance(part, list) for scan in part]
    if not scans:
        raise InputError(f"{path}: expected a list of scans, found none")
    return [_read_scan(path, scan) for scan in scans]


def _read_scan(path: Path, scan: Any) -> pd.DataFrame:
    scores = next((key for key in _MONAI_SCORES if isinstance(scan, Mapping) and key in scan), None)
    if scores is None or not {"image", "box"} <= set(scan):
        found = ", ".join(map(str, scan)) if isinstance(scan, Mapping) else repr(scan)[:40]
        raise InputError(f"{path}: expected scans with image, box and {' or '.join(_MONAI_SCORES)}, found {found}")
    name = Path(str(scan["image"]).replace("\\", "/")).name
    ending = next((end for end in _IMAGE_ENDINGS if name.lower().endswith(end)), "")
    boxes = _numbers(path, "box", scan["box"], 6)
    return _marks(path, _uid(name[: len(name) - len(ending)]), boxes[:, 2::-1], scan[scores])


def _marks(path: Path, uid: str, centers_zyx_mm: NDArray[np.float64], scores: Any) -> pd.DataFrame:
    probability = np.ravel(np.asarray(scores, dtype=np.float64))
    if len(probability) != len(centers_zyx_mm):
        raise InputError(f"{path}: expected a score for each of {len(centers_zyx_mm)} boxes, found {len(probability)}")
    if not np.isfinite(probability).all():
        raise InputError(f"{path}: expected finite scores, found others for series {uid}")
    columns = dict(zip(CENTER_COLUMNS, centers_zyx_mm.T, strict=True))
    return pd.DataFrame({"series_uid": uid, **columns, "probability": probability})


def _table(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)].astype({"series_uid": "str"})


def _numbers(path: Path, key: str, value: Any, width: int) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(value, dtype=np.float64).reshape(-1, width)
    except (TypeError, ValueError):
        numbers = np.full((1, width), np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path}: {key}: expected {width} finite numbers for each box, found others")
    return numbers


def _uid(name: str) -> str:
    return name.replace("_", ".") if _UNDERSCORED_UID.fullmatch(name) else name


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain values, and refuses every other object."""

    def find_class(self, module: str, name: str) -> Any:
        is_numpy = re.fullmatch(r"numpy(\._?core\.(multiarray|numeric))?", module) and name in _NUMPY
        if is_numpy or (module, name) in (("collections", "OrderedDict"), ("_codecs", "encode")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"an object of {module}.{name}")


def _unpickle(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            return _PlainUnpickler(stream).load()
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, found {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises many kinds
        raise InputError(f"{path}: expected a pickle of arrays and plain values, found {error}") from None
