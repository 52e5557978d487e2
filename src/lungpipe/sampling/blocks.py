"""Blocks of voxels around points, kept in memory up to a limit of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lungpipe.volumes.store import StoredVolume, VolumeError, open_volume


class VolumeShelf:
    """Stored volumes by series UID, each opened at the first use and kept open; thread-safe."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)
        self._opened: dict[str, StoredVolume] = {}

    def __getitem__(self, series_uid: str) -> StoredVolume:
        """Return the volume of a series.

        Raises:
            VolumeError: a series without a store, or a store that cannot be opened; the message names the series.
        """
        volume = self._opened.get(series_uid)
        if volume is None:
            if series_uid not in self._paths:
                raise VolumeError(f"series {series_uid}: expected a stored volume, found none")
            try:
                # two threads may open the same store: the results are equal, and one is kept
                volume = self._opened.setdefault(series_uid, open_volume(self._paths[series_uid], series_uid))
            except (VolumeError, OSError) as error:
                raise VolumeError(f"series {series_uid}: {error}") from error
        return volume


class BlockCache:
    """Arrays by number, made by `read`. Above `limit_bytes` the least recently used arrays are dropped.

    Thread-safe: `read` runs outside the lock, so that threads read different blocks at the same time. If two threads
    miss the same block, both read that block.
    """

    def __init__(self, read: Callable[[int], NDArray[Any]], limit_bytes: int) -> None:
        self.num_bytes = 0
        self.num_reads = 0
        self._read, self._limit_bytes = read, limit_bytes
        self._blocks: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, numbers: Sequence[int]) -> list[NDArray[Any]]:
        """Return the arrays of these numbers. The caller must not change the arrays. Errors of `read` pass through."""
        with self._lock:
            found = {number: self._blocks[number] for number in numbers if number in self._blocks}
            for number in found:
                self._blocks.move_to_end(number)
        for number in numbers:
            if number not in found:
                found[number] = self._read(number)
                self._keep(number, found[number])
        return [found[number] for number in numbers]

    def _keep(self, number: int, block: NDArray[Any]) -> None:
        with self._lock:
            self.num_reads += 1
            if number in self._blocks:
                return
            self._blocks[number] = block
            self.num_bytes += block.nbytes
            while self.num_bytes > self._limit_bytes:
                self.num_bytes -= self._blocks.popitem(last=False)[1].nbytes
