"""Put a feature map back onto the voxels of the patch that the network saw."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lungpipe.explain.feature_map import Alignment, FeatureMap

FloatArray = NDArray[np.float32]
Shape = tuple[int, int, int]


def to_patch(values: FloatArray, found: FeatureMap, network: nn.Module, shape_zyx: Shape) -> FloatArray:
    """Return the map (zyx of the feature map) on the patch's voxels, linear between the middles of its elements.

    A network of two scales sees the middle half of the patch and, in the same channels, the whole patch at half the
    resolution. Its map is put onto the middle half. A network of slices has a map for each slice, see `unstack`.
    """
    cut: tuple[int, int, int] | None = getattr(network, "cut", None)
    if cut is not None:
        return unstack(values, found.alignment, cut, shape_zyx)
    z, y, x = (
        along_axis(count, side, scale, offset)
        for count, side, scale, offset in zip(
            values.shape, found.input_shape, found.alignment.scale, found.alignment.offset, strict=True
        )
    )
    inner = np.einsum("ai,bj,ck,ijk->abc", z, y, x, values, optimize=True).astype(np.float32)
    if found.input_shape == shape_zyx:
        return inner
    starts = [(side - part) // 2 for side, part in zip(shape_zyx, found.input_shape, strict=True)]
    patch = np.zeros(shape_zyx, dtype=np.float32)
    patch[tuple(slice(a, a + part) for a, part in zip(starts, found.input_shape, strict=True))] = inner
    return patch


def along_axis(num_elements: int, num_voxels: int, scale: float, offset: float) -> NDArray[np.float64]:
    """Return the weights (voxels, elements) of linear interpolation along an axis.

    Element o has its middle at voxel `scale` o + `offset`; beyond the outermost middles the outermost element is
    repeated.
    """
    place = np.clip((np.arange(num_voxels) - offset) / scale, 0.0, num_elements - 1.0)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(num_elements)), 0.0, 1.0)


def unstack(maps_SYX: FloatArray, alignment: Alignment, cut: tuple[int, int, int], shape_zyx: Shape) -> FloatArray:
    """Return the maps of slices (slices, rows, columns) in the patch; where planes cross, the largest value counts.

    `cut` is the number of planes (1: axial; 3: axial, coronal, sagittal), of slices in each, and their step (voxels),
    as in `lungpipe.models.slices.cut_slices`. Between two slices the map is linear; half a step beyond the outermost
    slices it ends.
    """
    num_planes, per_plane, step = cut
    patch = np.zeros(shape_zyx, dtype=np.float32)
    for plane in range(num_planes):
        stack = maps_SYX[plane * per_plane : (plane + 1) * per_plane]
        across = _across(per_plane, shape_zyx[0], step)
        rows, columns = (
            along_axis(stack.shape[axis], shape_zyx[axis], alignment.scale[axis], alignment.offset[axis])
            for axis in (1, 2)
        )
        filled = np.einsum("as,bi,cj,sij->abc", across, rows, columns, stack, optimize=True)
        # the axis across a plane comes first in its stack: z for axial, y for coronal, x for sagittal slices
        patch = np.maximum(patch, np.moveaxis(filled, 0, plane).astype(np.float32))
    return patch


def _across(num_slices: int, side: int, step: int) -> NDArray[np.float64]:
    first = (side - 1) // 2 - num_slices // 2 * step
    weights = along_axis(num_slices, side, float(step), float(first))
    place = np.arange(side)
    is_near = (place >= first - step / 2.0) & (place <= first + (num_slices - 1) * step + step / 2.0)
    return weights * is_near[:, None]
