"""Symmetries, rotation and zoom of a batch of windows about their centres, with findings and masks."""

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling.batch import Batch, Spacing
from lungpipe.sampling.targets import diameters_mm


def move(batch: Batch, patch_size_vox: int) -> tuple[Tensor, Tensor | None, Tensor]:
    """Return HU (B, P, P, P) float32, mask (B, P, P, P) uint8 or none, and findings (B, K, 5) after the same moves.

    A point at p mm from the window's centre moves to zoom x rotation x symmetry x p. If voxels are not cubes, only the
    flips of the symmetry are applied.
    """
    draws, mask = batch.draws, batch.mask_BZYX
    symmetry = draws.get("symmetry")
    if symmetry is not None and len(set(batch.spacing_zyx_mm)) > 1:
        symmetry = torch.diag_embed(symmetry.sum(dim=2))
    matrix = to_patch(symmetry, draws.get("rotation"), draws.get("zoom"))
    findings = batch.findings_BK5 if matrix is None else _move_findings(batch.findings_BK5, matrix, draws.get("zoom"))
    if matrix is not None and ("rotation" in draws or "zoom" in draws):
        return *_resample(batch, matrix, patch_size_vox), findings
    hu = crop(batch.hu_BZYX, patch_size_vox)
    mask = None if mask is None else crop(mask, patch_size_vox)
    if symmetry is not None:
        index = source_index(symmetry, patch_size_vox)
        hu, mask = turn(hu, index), None if mask is None else turn(mask, index)
    return hu.float(), mask, findings


def to_patch(symmetry: Tensor | None, rotation: Tensor | None, zoom: Tensor | None) -> Tensor | None:
    """Return the matrix (B, 3, 3), zyx, from positions in the window to the patch; none if nothing moves."""
    matrix = symmetry
    if rotation is not None:
        matrix = rotation if matrix is None else rotation @ matrix
    if zoom is not None:
        sizes = zoom[:, None, None]
        matrix = sizes * torch.eye(3, device=zoom.device) if matrix is None else sizes * matrix
    return matrix


def source_index(symmetry_B33: Tensor, size: int) -> Tensor:
    """Return, for each voxel of turned cubes, the flat index (B, size^3) int64 of its source voxel."""
    whole = symmetry_B33.to(torch.int64)
    # one step along axis i of the turned cube is this many elements of the source: +-1, +-size or +-size^2
    step_B3 = whole[..., 0] * (size * size) + whole[..., 1] * size + whole[..., 2]
    first_B = (size - 1) * step_B3.clamp(max=0).neg().sum(dim=1)
    axis = torch.arange(size, device=whole.device)
    z, y, x = (step_B3[:, i, None] * axis for i in range(3))
    planes = (first_B[:, None, None] + z[:, :, None]) + y[:, None, :]
    return (planes[..., None] + x[:, None, None, :]).flatten(1)


def turn(cubes_BZYX: Tensor, index: Tensor) -> Tensor:
    """Return cubes turned by `source_index`; exact for every dtype."""
    return cubes_BZYX.reshape(len(cubes_BZYX), -1).gather(1, index).view(cubes_BZYX.shape)


def crop(windows_BZYX: Tensor, size: int) -> Tensor:
    """Return the middle of each window; a view."""
    first = (windows_BZYX.shape[-1] - size) // 2
    part = slice(first, first + size)
    return windows_BZYX[:, part, part, part]


def _move_findings(findings_BK5: Tensor, matrix_B33: Tensor, zoom_B: Tensor | None) -> Tensor:
    centers = findings_BK5[..., :3] @ matrix_B33.transpose(1, 2)
    size = diameters_mm(findings_BK5)
    size = size if zoom_B is None else size * zoom_B[:, None]
    return torch.cat([centers, size[..., None], findings_BK5[..., 4:]], dim=-1)


def _resample(batch: Batch, matrix_B33: Tensor, size: int) -> tuple[Tensor, Tensor | None]:
    window = batch.hu_BZYX.shape[-1]
    grid = _sampling_grid(matrix_B33, size, window, batch.spacing_zyx_mm)
    channels = [batch.hu_BZYX] if batch.mask_BZYX is None else [batch.hu_BZYX, batch.mask_BZYX]
    stacked = torch.stack([channel.float() for channel in channels], dim=1)
    moved = functional.grid_sample(stacked, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return moved[:, 0], None if batch.mask_BZYX is None else (moved[:, 1] > 0.5).to(torch.uint8)


def _sampling_grid(matrix_B33: Tensor, size: int, window: int, spacing: Spacing) -> Tensor:
    """Return the source of each patch voxel: (B, P, P, P, 3), xyz; -1 and 1 are the window's outermost voxels."""
    # rotation and symmetry are orthogonal, so the inverse of zoom x orthogonal is its transpose over zoom squared
    inverse = matrix_B33.transpose(1, 2) / matrix_B33[:, 0].square().sum(dim=1)[:, None, None]
    axis = torch.arange(size, dtype=torch.float32, device=inverse.device) - (size - 1) / 2
    scale = 2.0 / (window - 1)
    rows = []
    for j in (2, 1, 0):
        z, y, x = (inverse[:, j, i, None] * (axis * (scale * spacing[i] / spacing[j])) for i in range(3))
        rows.append((z[:, :, None] + y[:, None, :])[..., None] + x[:, None, None, :])
    return torch.stack(rows, dim=-1)
