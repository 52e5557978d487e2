"""Batches of windows, cut from stored volumes while the network computes; every batch is a function of its step."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lungpipe.geometry import Window
from lungpipe.sampling.batch import Batch
from lungpipe.sampling.blocks import BlockCache, VolumeShelf
from lungpipe.sampling.draws import draw_augmentation
from lungpipe.sampling.near import list_near
from lungpipe.sampling.plan import FeedPlan
from lungpipe.sampling.pools import HARD, Pools
from lungpipe.tables import CENTER_COLUMNS, POINTS
from lungpipe.volumes.store import VolumeError

MaskReader = Callable[[str, Window], NDArray[np.uint8]]
"""Returns the annotated mask (0/1, zyx) of a series' nodules in a window of its stored volume."""

LABELS = ("is_nodule", "malignancy")


class Feed:
    """Cuts batches from volumes: in any order (`batch`), ahead in threads (`stream`), or all points (`fixed_batches`).

    `findings` are the tables NODULES and EXCLUSIONS; they may hold other series too. `masks` reads the nodule masks
    for mask="annotated". `labels` are further labels by name, (points, ...) each. `waited_seconds` is the total time
    that the reader of a stream has waited for batches.
    """

    def __init__(
        self,
        points: pd.DataFrame,
        volumes: Mapping[str, Path],
        findings: tuple[pd.DataFrame, pd.DataFrame],
        plan: FeedPlan,
        *,
        masks: MaskReader | None = None,
        labels: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        """Open the volumes of all points and compute the positions of their blocks; no voxel is read.

        Raises:
            ValueError: no points, no points of a needed kind, volumes of different spacing, or masks without a reader.
            VolumeError: a point of a series without a store; the message names the series.
        """
        if not len(points):
            raise ValueError("feed: expected points to cut windows around, found none")
        if plan.mask == "annotated" and masks is None:
            raise ValueError("sampling.mask: expected 'sphere' for a dataset without nodule masks, found 'annotated'")
        self.plan, self.waited_seconds = plan, 0.0
        self._findings, self._further_labels = findings, dict(labels or {})
        self._shelf = VolumeShelf(volumes)
        self._set_points(POINTS.conform(points))
        self.spacing_zyx_mm = self._one_spacing()
        self._blocks, self._mask_blocks = self._open_caches(masks)
        self._threads = ThreadPoolExecutor(max(plan.num_threads, 1), thread_name_prefix="feed")

    def __len__(self) -> int:
        return len(self._series)

    def add_hard(self, positions: pd.DataFrame) -> None:
        """Add points outside nodules at positions (series_uid, center_*_mm) of false positives; no stream may be open.

        Raises:
            ValueError: a feed with further labels, which false positives do not have.
        """
        if not len(positions):
            return
        if self._further_labels:
            raise ValueError(f"feed: expected no further labels, found {', '.join(self._further_labels)}")
        crop_of = self._points.groupby("series_uid")["is_crop"].first()
        added = positions.assign(kind=HARD, is_nodule=0.0, weight=1.0, is_crop=positions["series_uid"].map(crop_of))
        missing = dict.fromkeys(("diameter_mm", "malignancy"), np.nan) | {"nodule_id": None}
        self._set_points(pd.concat([self._points, POINTS.conform(added.assign(**missing))], ignore_index=True))

    def _set_points(self, points: pd.DataFrame) -> None:
        self._points = points
        self._series = points["series_uid"].to_numpy(dtype=object)
        self._labels = {name: points[name].to_numpy(np.float32) for name in LABELS} | self._further_labels
        self._weight = points["weight"].to_numpy(np.float32)
        self._place_blocks(points, self._findings)
        self._pools = Pools.of(points, self.plan)

    def batch(self, step: int) -> Batch:
        """Return this process's windows of a step: a function of seed and step alone.

        Raises:
            VolumeError: a window that cannot be read; the message names the series.
        """
        plan = self.plan
        rng = np.random.default_rng([plan.seed, step])
        rows = self._pools.draw(rng)
        offsets = rng.integers(0, 2 * plan.max_offset_vox + 1, (plan.batch_size, 3))
        draws = {} if plan.augmentation is None else draw_augmentation(rng, plan.batch_size, plan.augmentation)
        own = slice(plan.rank, None, plan.world_size)
        return self._cut(rows[own], offsets[own], {name: values[own] for name, values in draws.items()})

    def stream(self, first_step: int, last_step: int) -> Iterator[Batch]:
        """Yield the batches of steps first_step to last_step - 1 in order, cut ahead in threads."""
        return self._ahead(partial(self.batch, step) for step in range(first_step, last_step))

    def fixed_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield every point once, in order, without draws; equal in every process.

        Windows are centred, or shifted by offsets that depend on the rows alone (`plan.is_shifted`).
        """
        middle = self.plan.max_offset_vox
        rows = np.arange(len(self), dtype=np.int64)
        starts = np.full((len(rows), 3), middle)
        if self.plan.is_shifted:
            # not the plan's seed: the checks of all members are measured on the same windows
            starts = np.random.default_rng(0).integers(0, 2 * middle + 1, starts.shape)
        parts = (slice(first, first + batch_size) for first in range(0, len(rows), batch_size))
        return self._ahead(partial(self._cut, rows[part], starts[part], {}) for part in parts)

    def close(self) -> None:
        """End the threads and drop batches that were not used."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _ahead(self, tasks: Iterator[Callable[[], Batch]]) -> Iterator[Batch]:
        pending: deque[Future[Batch]] = deque()
        # one batch in work per thread, and one finished batch waiting
        depth = max(self.plan.num_threads, 1) + 1
        try:
            while True:
                while len(pending) < depth and (task := next(tasks, None)) is not None:
                    pending.append(self._threads.submit(task))
                if not pending:
                    return
                began = time.perf_counter()
                batch = pending.popleft().result()
                self.waited_seconds += time.perf_counter() - began
                yield batch
        finally:
            for future in pending:
                future.cancel()

    def _cut(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], draws: Mapping[str, NDArray[np.float32]]
    ) -> Batch:
        size, numbers, corners = self.plan.window_vox, rows.tolist(), starts.tolist()
        mask = None
        if self._mask_blocks is not None:
            mask = torch.from_numpy(_cut_windows(self._mask_blocks.get(numbers), corners, size))
        spacing = np.asarray(self.spacing_zyx_mm)
        # from the block's centre to the window's: the sides are equal, so the starts differ by the same
        shifts_mm = (starts - self.plan.max_offset_vox) * spacing
        batch = Batch(
            hu_BZYX=torch.from_numpy(_cut_windows(self._blocks.get(numbers), corners, size)),
            mask_BZYX=mask,
            findings_BK5=torch.from_numpy(self._near.around(rows, shifts_mm, size * spacing / 2)),
            labels={name: torch.from_numpy(values[rows]) for name, values in self._labels.items()},
            weight_B=torch.from_numpy(self._weight[rows]),
            draws={name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in draws.items()},
            spacing_zyx_mm=self.spacing_zyx_mm,
            rows=rows,
            series=tuple(self._series[rows]),
        )
        return batch.pinned() if self.plan.is_pinned else batch

    def _one_spacing(self) -> tuple[float, float, float]:
        spacings = {self._shelf[uid].grid.spacing_zyx_mm: uid for uid in dict.fromkeys(self._series)}
        if len(spacings) > 1:
            found = ", ".join(f"{spacing} (series {uid})" for spacing, uid in spacings.items())
            raise ValueError(f"feed: expected volumes of one spacing (mm), found {found}")
        return next(iter(spacings))

    def _place_blocks(self, points: pd.DataFrame, findings: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        side = self.plan.block_vox
        centers = points[list(CENTER_COLUMNS)].to_numpy()
        starts = np.empty((len(points), 3))
        grids = {uid: self._shelf[uid].grid for uid in dict.fromkeys(self._series)}
        for uid, rows in points.groupby("series_uid").indices.items():
            starts[rows] = np.round(grids[str(uid)].to_index(centers[rows]) - (side - 1) / 2)
        self._starts = starts.astype(np.int64)
        self._near = list_near(self._series, starts + (side - 1) / 2, findings, grids, side_vox=side)

    def _open_caches(self, masks: MaskReader | None) -> tuple[BlockCache, BlockCache | None]:
        limit = self.plan.cache_bytes
        if self.plan.mask == "sphere" or masks is None:
            return BlockCache(self._read_hu, limit), None
        # two bytes of HU and one of mask for each voxel
        return BlockCache(self._read_hu, limit * 2 // 3), BlockCache(partial(self._read_mask, masks), limit // 3)

    def _window(self, row: int) -> Window:
        z, y, x = self._starts[row].tolist()
        side = self.plan.block_vox
        return Window((z, y, x), (side, side, side))

    def _read_hu(self, row: int) -> NDArray[np.int16]:
        series_uid = self._series[row]
        try:
            return self._shelf[series_uid].read_hu(self._window(row))
        except (VolumeError, OSError) as error:
            raise VolumeError(f"series {series_uid}: {error}") from error

    def _read_mask(self, masks: MaskReader, row: int) -> NDArray[np.uint8]:
        return masks(self._series[row], self._window(row))


def _cut_windows(blocks: list[NDArray[Any]], corners: list[list[int]], size: int) -> NDArray[Any]:
    windows = np.empty((len(blocks), size, size, size), dtype=blocks[0].dtype if blocks else np.int16)
    for out, block, (z, y, x) in zip(windows, blocks, corners, strict=True):
        out[...] = block[z : z + size, y : y + size, x : x + size]
    return windows
