"""The masks of candidates as a table beside that of the candidates, and back as crops.

A mask is kept as the box of its voxels, one bit a voxel, compressed: about 150 bytes for a candidate of 6 mm at a
spacing of 1 mm, 2 kB for one of 30 mm.
"""

import base64
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.candidates.detections import MaskCrop
from lungpipe.candidates.group import own_lump
from lungpipe.geometry import Grid
from lungpipe.tables import CANDIDATE_MASKS, CENTER_COLUMNS

START_COLUMNS = ("start_z_vox", "start_y_vox", "start_x_vox")
SIZE_COLUMNS = ("size_z_vox", "size_y_vox", "size_x_vox")


def to_mask_table(candidates: pd.DataFrame, crops: Sequence[MaskCrop] | None, grid: Grid) -> pd.DataFrame:
    """Return the masks of one scan's candidates (CANDIDATES contract) under the CANDIDATE_MASKS contract.

    `crops` has a crop of the volume of `grid` for every row, or is None for a detector without masks. A candidate's
    mask is the lump at its centre (see `own_lump`); a candidate without one has no row.
    """
    if crops is None:
        return CANDIDATE_MASKS.empty()
    centers = candidates[list(CENTER_COLUMNS)].to_numpy()
    owners = zip(candidates.to_dict("records"), crops, centers, candidates["diameter_mm"], strict=True)
    lumps = [(owner, own_lump(crop, grid, center, float(size_mm))) for owner, crop, center, size_mm in owners]
    rows = [_row(owner, tightened(lump)) for owner, lump in lumps if lump is not None]
    return CANDIDATE_MASKS.conform(pd.DataFrame(rows)) if rows else CANDIDATE_MASKS.empty()


def join_mask_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return all rows of several tables (CANDIDATE_MASKS contract).

    Raises:
        ContractError: a candidate in two tables.
    """
    filled = [table for table in tables if len(table)]
    return CANDIDATE_MASKS.conform(pd.concat(filled, ignore_index=True)) if filled else CANDIDATE_MASKS.empty()


def find_mask(masks: pd.DataFrame, series_uid: str, center_zyx_mm: tuple[float, float, float]) -> MaskCrop | None:
    """Return the mask of the candidate of a series with exactly this centre (LPS mm); None where there is none.

    Raises:
        ValueError: a stored mask that is damaged.
    """
    is_own = (masks["series_uid"] == series_uid).to_numpy()
    is_there = (masks[list(CENTER_COLUMNS)].to_numpy() == np.asarray(center_zyx_mm)).all(axis=1)
    rows = masks[is_own & is_there].to_dict("records")
    if not rows:
        return None
    size_z, size_y, size_x = (int(rows[0][name]) for name in SIZE_COLUMNS)
    start_z, start_y, start_x = (int(rows[0][name]) for name in START_COLUMNS)
    mask = _unpacked(str(rows[0]["mask"]), (size_z, size_y, size_x), str(rows[0]["candidate_id"]))
    return MaskCrop((start_z, start_y, start_x), mask)


def tightened(crop: MaskCrop) -> MaskCrop:
    """Return a crop with at least one voxel in the box of its voxels."""
    voxels = np.argwhere(crop.mask)
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    z, y, x = (int(start) for start in np.add(crop.start_zyx_vox, low))
    return MaskCrop((z, y, x), crop.mask[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))])


def _row(candidate: dict[str, object], crop: MaskCrop) -> dict[str, object]:
    return {
        **{name: candidate[name] for name in ("candidate_id", "series_uid", *CENTER_COLUMNS)},
        **dict(zip(START_COLUMNS, crop.start_zyx_vox, strict=True)),
        **dict(zip(SIZE_COLUMNS, crop.mask.shape, strict=True)),
        "mask": base64.b64encode(zlib.compress(np.packbits(crop.mask).tobytes(), 9)).decode("ascii"),
    }


def _unpacked(text: str, shape_zyx: tuple[int, int, int], candidate_id: str) -> NDArray[np.bool_]:
    count = int(np.prod(shape_zyx))
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype=np.uint8)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"candidate {candidate_id}: expected a compressed mask, found {error}") from None
    if len(packed) != -(-count // 8):
        found = f"{len(packed)} bytes"
        raise ValueError(f"candidate {candidate_id}: expected the bits of {count} voxels, found {found}")
    return np.unpackbits(packed, count=count).astype(np.bool_).reshape(shape_zyx)
