"""Blocks of HU around points, read from stores once and kept in memory up to a bound of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Window
from lungpipe.volumes.store import StoredVolume, VolumeError, open_volume


class VolumeShelf:
    """Stored volumes by series UID, each opened at its first use and kept open; safe in threads."""

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
                # two threads may open the same store: both results are good, one is kept
                volume = self._opened.setdefault(series_uid, open_volume(self._paths[series_uid]))
            except (VolumeError, OSError) as error:
                raise VolumeError(f"series {series_uid}: {error}") from error
        return volume


class BlockCache:
    """Blocks (int16 HU, zyx) by number, of one shape, least recently used first out; safe in threads."""

    def __init__(self, volumes: VolumeShelf, series: Sequence[str], windows: Sequence[Window], limit_bytes: int) -> None:
        self.volumes, self.series, self.windows, self.limit_bytes = volumes, series, windows, limit_bytes
        self.num_bytes = 0
        self.num_reads = 0
        self._blocks: OrderedDict[int, NDArray[np.int16]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, numbers: Sequence[int]) -> list[NDArray[np.int16]]:
        """Return the blocks of these numbers; those that are not in memory are read from their stores.

        Raises:
            VolumeError: a block that cannot be read; the message names the series.
        """
        with self._lock:
            found = {number: self._blocks[number] for number in set(numbers) if number in self._blocks}
            for number in found:
                self._blocks.move_to_end(number)
        for number in sorted(set(numbers) - set(found)):
            found[number] = self._read(number)
        return [found[number] for number in numbers]

    def _read(self, number: int) -> NDArray[np.int16]:
        series_uid = self.series[number]
        try:
            block = self.volumes[series_uid].read_hu(self.windows[number])
        except (VolumeError, OSError) as error:
            raise VolumeError(f"series {series_uid}: {error}") from error
        with self._lock:
            self.num_reads += 1
            if number not in self._blocks:
                self._blocks[number] = block
                self.num_bytes += block.nbytes
            # the block that was read last is kept even where it alone is larger than the bound
            while self.num_bytes > self.limit_bytes and len(self._blocks) > 1:
                self.num_bytes -= self._blocks.popitem(last=False)[1].nbytes
        return block
