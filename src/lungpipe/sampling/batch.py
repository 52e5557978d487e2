"""A batch: the windows of one training step, their findings and labels, and the random numbers of augmentation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PADDING, NODULE, EXCLUDED = 0, 1, 2
"""Kinds of a finding (last column of `findings_BK5`)."""

Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows of one step before augmentation; all tensors are on one device and have the same first axis B.

    hu_BZYX: int16 HU, windows of patch + 2 x margin voxels along each axis.
    mask_BZYX: uint8 0/1, the annotated mask of the window's own nodule, or None.
    findings_BK5: float32 z, y, x (mm from the centre of the window's voxel array), diameter (mm), kind (0 padding,
        1 nodule, 2 excluded finding).
    labels: float32 (B, ...) by name (`is_nodule`, `malignancy`, and those that a role adds); NaN where unknown.
    weight_B: float32, weight of the row in the loss.
    draws: float32 (B, ...) by name, see `draw_augmentation`.
    rows: row of each window in the points table; `series`: the series UID of each window, for messages.
    """

    hu_BZYX: Tensor
    mask_BZYX: Tensor | None
    findings_BK5: Tensor
    labels: dict[str, Tensor]
    weight_B: Tensor
    draws: dict[str, Tensor]
    spacing_zyx_mm: Spacing
    rows: NDArray[np.int64]
    series: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.series)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on a device; copies to a CUDA device go through pinned memory and do not block."""
        device = torch.device(device)
        if device.type != "cuda":
            return self._each(lambda tensor: tensor.to(device))
        return self.pinned()._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """Return the batch in page-locked memory, from which a CUDA device copies while it computes."""
        return self._each(lambda tensor: tensor if tensor.is_cuda or tensor.is_pinned() else tensor.pin_memory())

    def split(self, micro_batch_size: int | None) -> Iterator["Batch"]:
        """Yield views of at most `micro_batch_size` consecutive windows; None yields the whole batch.

        Raises:
            ValueError: a size below 1.
        """
        size = len(self) if micro_batch_size is None else micro_batch_size
        if size < 1 and len(self):
            raise ValueError(f"micro_batch_size: expected at least 1, found {size}")
        for first in range(0, len(self), max(size, 1)):
            part = slice(first, first + size)
            cut = self._each(itemgetter(part))
            yield replace(cut, rows=self.rows[part], series=self.series[part])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changed[field.name] = change(value)
            elif isinstance(value, dict):
                changed[field.name] = {name: change(tensor) for name, tensor in value.items()}
        return replace(self, **changed)  # type: ignore[arg-type]
