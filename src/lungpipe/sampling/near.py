"""The findings near each point, from which the targets of a window are painted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.geometry import Grid, radius_mm
from lungpipe.sampling.batch import EXCLUDED, NODULE, PADDING
from lungpipe.tables import CENTER_COLUMNS


class NearFindings:
    """For every block: the findings that touch it, in mm from the centre of the block's voxel array.

    All are in one array (F, 5) float32: z, y, x, diameter, kind; those of block n are rows first[n] to first[n + 1].
    """

    def __init__(self, values_F5: NDArray[np.float32], first: NDArray[np.int64]) -> None:
        # a row of padding at the end, for windows with fewer findings than the largest number
        self._values = np.concatenate([values_F5, np.zeros((1, 5), np.float32)])
        self._first, self._counts = first[:-1], np.diff(first)

    def around(
        self, blocks: NDArray[np.int64], shifts_mm: NDArray[np.float64], half_mm: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the findings (B, K, 5) that touch windows in these blocks, in mm from each window's centre.

        `shifts_mm` (B, 3) are the positions of the windows' centres relative to the blocks' centres; `half_mm` (3,) is
        half the side of a window. K is the largest number in one window; rows of kind 0 are padding, behind the
        findings.
        """
        counts = self._counts[blocks]
        columns = np.arange(counts.max(initial=0))
        index = np.where(columns < counts[:, None], self._first[blocks, None] + columns, len(self._values) - 1)
        findings = self._values[index]
        findings[..., :3] -= shifts_mm[:, None].astype(np.float32)
        kind = findings[..., 4]
        reach = half_mm.astype(np.float32) + findings[..., 3:4] / 2
        is_there = (np.abs(findings[..., :3]) < reach).all(axis=-1) & (kind != PADDING)
        order = np.argsort(~is_there, axis=1, kind="stable")[:, : is_there.sum(axis=1).max(initial=0)]
        kept = np.take_along_axis(findings, order[..., None], axis=1)
        kept[~np.take_along_axis(is_there, order, axis=1)] = 0.0
        return kept


def list_near(
    series: NDArray[np.object_],
    centers_vox: NDArray[np.float64],
    findings: tuple[pd.DataFrame, pd.DataFrame],
    grids: Mapping[str, Grid],
    *,
    side_vox: int,
) -> NearFindings:
    """List the nodules and excluded findings (tables NODULES and EXCLUSIONS) that touch each block.

    `centers_vox` (N, 3) are the centres of the blocks' voxel arrays, continuous indices zyx. A negative diameter
    becomes 10 mm. Nodules come before excluded findings.
    """
    counts = np.zeros(len(series), dtype=np.int64)
    values: list[NDArray[np.float64]] = []
    owners: list[NDArray[np.int64]] = []
    rows_by_table = [table.reset_index(drop=True).groupby("series_uid").indices for table in findings]
    for series_uid, blocks in pd.Series(series).groupby(series).indices.items():
        grid = grids[str(series_uid)]
        spacing = np.asarray(grid.spacing_zyx_mm)
        for table, rows_of, kind in zip(findings, rows_by_table, (NODULE, EXCLUDED), strict=True):
            rows = rows_of.get(series_uid, np.zeros(0, dtype=np.intp))
            places = grid.to_index(table[list(CENTER_COLUMNS)].to_numpy()[rows])
            radius = radius_mm(table["diameter_mm"].to_numpy()[rows])
            between = (places[None] - centers_vox[blocks][:, None]) * spacing
            is_near = (np.abs(between) < side_vox * spacing / 2 + radius[:, None]).all(axis=-1)
            block, finding = np.nonzero(is_near)
            width = 2.0 * radius[finding]
            values.append(np.column_stack([between[block, finding], width, np.full(len(block), float(kind))]))
            owners.append(blocks[block])
            counts[blocks] += is_near.sum(axis=1)
    owner = np.concatenate([np.zeros(0, np.int64), *owners])
    joined = np.concatenate([np.zeros((0, 5)), *values])[np.argsort(owner, kind="stable")]
    return NearFindings(joined.astype(np.float32), np.concatenate([[0], np.cumsum(counts)]))
