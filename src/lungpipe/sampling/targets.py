"""Targets of a patch: voxel masks and centre heat maps, painted from its findings on any device."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lungpipe.geometry import DEFAULT_DIAMETER_MM
from lungpipe.sampling.batch import EXCLUDED, NODULE, Spacing

BACKGROUND, IGNORED = 0, 2
"""Values of a mask voxel beside NODULE; ignored voxels (excluded findings) have no loss."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class HeatTargets:
    """Targets of a centre network on its coarse grid z = Z / stride; all float32 (B, channels, z, y, x).

    heatmap (1 channel): 1 at the coarse voxel nearest to a nodule's centre, a Gaussian around it.
    offset (3, zyx): from the centre of that coarse voxel to the nodule's centre, in voxels of the patch.
    diameter (1): log(diameter / 10 mm) at that coarse voxel.
    is_center (1): 1 where offset and diameter are defined, else 0.
    is_counted (1): 0 in excluded findings, where the heat map has no loss, else 1.
    """

    heatmap: Tensor
    offset: Tensor
    diameter: Tensor
    is_center: Tensor
    is_counted: Tensor


def paint_masks(findings_BK5: Tensor, shape_zyx: Shape, spacing_zyx_mm: Spacing) -> Tensor:
    """Return masks (B, Z, Y, X) uint8: 0 background, 1 nodule, 2 excluded finding (ignored); nodules over exclusions.

    A voxel belongs to a finding if the voxel's centre is strictly inside the sphere; a negative diameter means 10 mm.
    The voxel nearest to a finding's centre is marked, too: no nodule is too small for its mask. This is the rule of
    `geometry.sphere_mask`. Positions are mm from the centre of the patch's voxel array.
    """
    shape = (len(findings_BK5), *shape_zyx)
    # nodules are painted as 2 and exclusions as 1, so that the larger value wins; swapped at the end
    rank = torch.zeros(shape, dtype=torch.uint8, device=findings_BK5.device)
    for rows, findings_B5, value_B in _columns(findings_BK5):
        inside = _inside(findings_B5, shape_zyx, spacing_zyx_mm).view(torch.uint8)
        inside.mul_(value_B[:, None, None, None])
        _mark_nearest(inside, findings_B5, value_B, spacing_zyx_mm)
        if isinstance(rows, slice):
            torch.maximum(rank, inside, out=rank)
        else:
            rank[rows] = torch.maximum(rank[rows], inside)
    return rank.neg_().add_(3).remainder_(3)


def heat_targets(
    findings_BK5: Tensor,
    shape_zyx: Shape,
    spacing_zyx_mm: Spacing,
    *,
    stride: int,
    heatmap_sigma: float,
    smallest_sigma_vox: float,
) -> HeatTargets:
    """Paint the targets of a centre network with that output stride for patches of `shape_zyx` voxels.

    Coarse voxel i has its centre at fine index stride * i + (stride - 1) / 2. A Gaussian has the standard deviation
    `heatmap_sigma` x diameter, at least `smallest_sigma_vox` voxels of the patch, and is centred on the coarse voxel,
    so that its peak is exactly 1 (Zhou, Wang, Kraehenbuehl: Objects as Points, 2019). Where two nodules share a coarse
    voxel, the later finding counts. If a nodule's coarse voxel is outside the grid, the nodule has a Gaussian but no
    centre.

    Raises:
        ValueError: a shape that is no multiple of the stride.
    """
    if any(size % stride for size in shape_zyx):
        raise ValueError(f"heat map: expected sides divisible by the stride {stride}, found {shape_zyx}")
    coarse = (shape_zyx[0] // stride, shape_zyx[1] // stride, shape_zyx[2] // stride)
    steps = tuple(stride * size for size in spacing_zyx_mm)
    spacing = (steps[0], steps[1], steps[2])
    batch, device = len(findings_BK5), findings_BK5.device
    heatmap, is_center, diameter = (torch.zeros((batch, 1, *coarse), device=device) for _ in range(3))
    offset = torch.zeros((batch, 3, *coarse), device=device)
    is_nodule, is_excluded = (torch.zeros((batch, *coarse), dtype=torch.bool, device=device) for _ in range(2))
    least_mm = smallest_sigma_vox * max(spacing_zyx_mm)
    for rows, findings_B5, _ in _columns(findings_BK5):
        nodule_B, excluded_B = findings_B5[:, 4] == NODULE, findings_B5[:, 4] == EXCLUDED
        nearest_B3 = _nearest(findings_B5, coarse, spacing)
        at = _at(nearest_B3, coarse)
        inside = _inside(findings_B5, coarse, spacing) | at
        is_nodule[rows] |= inside & nodule_B[:, None, None, None]
        is_excluded[rows] |= inside & excluded_B[:, None, None, None]
        size_mm = diameters_mm(findings_B5)
        sigma_mm = torch.clamp(heatmap_sigma * size_mm, min=least_mm)
        squared = _squared_mm(_relative_mm(nearest_B3, coarse, spacing), coarse, spacing)
        peak = torch.exp(-squared / (2.0 * sigma_mm**2)[:, None, None, None]) * nodule_B[:, None, None, None]
        heatmap[rows] = torch.maximum(heatmap[rows], peak[:, None])
        here = (at & nodule_B[:, None, None, None])[:, None]
        between_mm = findings_B5[:, :3] - _relative_mm(nearest_B3, coarse, spacing)
        offset_B3 = torch.stack([between_mm[:, i] / spacing_zyx_mm[i] for i in range(3)], dim=1)
        offset[rows] = torch.where(here, offset_B3[:, :, None, None, None], offset[rows])
        logs = torch.log(size_mm.clamp(min=1e-3) / 10.0)
        diameter[rows] = torch.where(here, logs[:, None, None, None, None], diameter[rows])
        is_center[rows] = torch.where(here, 1.0, is_center[rows])
    counted = (is_nodule | ~is_excluded)[:, None].float()
    return HeatTargets(heatmap, offset, diameter, is_center, counted)


def diameters_mm(findings_X5: Tensor) -> Tensor:
    """Return the diameters of findings (..., 5) in mm; a negative diameter becomes 10 mm."""
    diameter = findings_X5[..., 3]
    return torch.where(diameter < 0, DEFAULT_DIAMETER_MM, diameter)


def _columns(findings_BK5: Tensor) -> Iterator[tuple[slice | Tensor, Tensor, Tensor]]:
    """Yield column by column: rows, their findings (B, 5), and ranks (B,): 0 padding, 1 excluded, 2 nodule."""
    rank_BK = torch.remainder(3 - findings_BK5[..., 4], 3).to(torch.uint8)
    for column in range(findings_BK5.shape[1]):
        rows: slice | Tensor = slice(None)
        # most windows have fewer findings than the largest number; on CUDA this test would cost a synchronisation
        if findings_BK5.device.type == "cpu":
            rows = rank_BK[:, column].nonzero()[:, 0]
            if not len(rows):
                continue
        yield rows, findings_BK5[rows, column], rank_BK[rows, column]


def _axis_mm(size: int, spacing_mm: float, device: torch.device) -> Tensor:
    return (torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2) * spacing_mm


def _parts(centers_B3: Tensor, shape: Shape, spacing: Spacing) -> list[Tensor]:
    """Return the squared distance (mm2) along each axis: (B, Z), (B, Y), (B, X)."""
    return [
        (_axis_mm(shape[axis], spacing[axis], centers_B3.device) - centers_B3[:, axis, None]).square()
        for axis in range(3)
    ]


def _squared_mm(centers_B3: Tensor, shape: Shape, spacing: Spacing) -> Tensor:
    z, y, x = _parts(centers_B3, shape, spacing)
    return z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :]


def _inside(findings_B5: Tensor, shape: Shape, spacing: Spacing) -> Tensor:
    z, y, x = _parts(findings_B5[:, :3], shape, spacing)
    reach = (diameters_mm(findings_B5) / 2).square()
    # the terms of two axes are compared with the rest: one pass over the voxels
    return (z[:, :, None, None] + y[:, None, :, None]) < (reach[:, None] - x)[:, None, None, :]


def _nearest(findings_B5: Tensor, shape: Shape, spacing: Spacing) -> Tensor:
    # axis by axis with Python numbers: a tensor made from a list would wait for a CUDA device
    return torch.stack([torch.round(findings_B5[:, i] / spacing[i] + (shape[i] - 1) / 2) for i in range(3)], dim=1)


def _relative_mm(index_B3: Tensor, shape: Shape, spacing: Spacing) -> Tensor:
    return torch.stack([(index_B3[:, i] - (shape[i] - 1) / 2) * spacing[i] for i in range(3)], dim=1)


def _at(index_B3: Tensor, shape: Shape) -> Tensor:
    """Return a mask (B, Z, Y, X) of the voxel of each index; empty if the index is outside the grid."""
    device, whole = index_B3.device, index_B3.to(torch.int64)
    z, y, x = (torch.arange(shape[axis], device=device) == whole[:, axis, None] for axis in range(3))
    return z[:, :, None, None] & y[:, None, :, None] & x[:, None, None, :]


def _mark_nearest(painted_BZYX: Tensor, findings_B5: Tensor, value_B: Tensor, spacing: Spacing) -> None:
    shape = (painted_BZYX.shape[1], painted_BZYX.shape[2], painted_BZYX.shape[3])
    nearest = _nearest(findings_B5, shape, spacing)
    clipped = [nearest[:, i].clamp(0, shape[i] - 1) for i in range(3)]
    is_on_grid = (torch.stack(clipped, dim=1) == nearest).all(dim=1)
    z, y, x = (index.to(torch.int64) for index in clipped)
    flat = ((z * shape[1] + y) * shape[2] + x)[:, None]
    voxels = painted_BZYX.view(len(painted_BZYX), -1)
    voxels.scatter_(1, flat, torch.where(is_on_grid[:, None], value_B[:, None], voxels.gather(1, flat)))
