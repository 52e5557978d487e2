"""Blur, HU scale and shift, noise and cutout of a batch of patches, drawn for each patch."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from lungpipe.sampling.batch import PADDING, Spacing
from lungpipe.sampling.targets import diameters_mm
from lungpipe.settings.recipe import AugmentationSettings
from lungpipe.terms import AIR_HU

# 32-bit constants as signed numbers, which is what torch multiplies
_FACTORS = (0x85EBCA6B - 2**32, 0xC2B2AE35 - 2**32)
_FIRST, _SECOND = 0x9E3779B9 - 2**32, 0x7F4A7C15


def change(hu_BZYX: Tensor, draws: Mapping[str, Tensor], settings: AugmentationSettings) -> Tensor:
    """Return patches (float32 HU) after blur, scale about air, shift and noise, where they are drawn."""
    if "blur_vox" in draws:
        hu_BZYX = blur(hu_BZYX, draws["blur_vox"], settings.blur_vox)
    if "hu_scale" in draws or "hu_shift" in draws:
        one = hu_BZYX.new_ones(len(hu_BZYX))
        scale, shift = draws.get("hu_scale", one), draws.get("hu_shift", 0.0 * one)
        # (hu - air) x scale + air + shift, in one pass
        constant = AIR_HU * (1.0 - scale) + shift
        hu_BZYX = torch.addcmul(_wide(constant), hu_BZYX, _wide(scale))
    if "noise_hu" in draws:
        hu_BZYX = torch.addcmul(hu_BZYX, noise(draws["noise_key"], hu_BZYX.shape[1:]), _wide(draws["noise_hu"]))
    return hu_BZYX


def blur(hu_BZYX: Tensor, sigma_B: Tensor, largest_sigma_vox: float) -> Tensor:
    """Return patches smoothed by Gaussians of their own standard deviations (voxels), cut off at 3 of the largest.

    Beyond the border of a patch its outermost voxels are repeated.
    """
    radius = max(math.ceil(3.0 * largest_sigma_vox), 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=hu_BZYX.device)
    # with a standard deviation of 0 only the middle weight is not 0
    weights = torch.exp(-0.5 * (offsets / sigma_B.clamp(min=1e-3)[:, None]).square())
    weights = weights / weights.sum(dim=1, keepdim=True)
    for axis in (1, 2, 3):
        size = hu_BZYX.shape[axis]
        padded = functional.pad(hu_BZYX[:, None], _padding(axis, radius), mode="replicate")[:, 0]
        smooth = torch.zeros_like(hu_BZYX)
        for tap in range(2 * radius + 1):
            smooth.addcmul_(padded.narrow(axis, tap, size), _wide(weights[:, tap]))
        hu_BZYX = smooth
    return hu_BZYX


def noise(key_B: Tensor, shape_zyx: torch.Size | tuple[int, ...]) -> Tensor:
    """Return standard normal noise (B, Z, Y, X) that is a function of key and voxel index alone.

    Two 32-bit hashes of (key, pair), by the finaliser of MurmurHash3 (A. Appleby), give two uniform numbers, and these
    two normal ones (Box and Muller, 1958): the cosines are the first half of the voxels, the sines the second. Whole
    numbers are the same on every device.
    """
    num_voxels = math.prod(shape_zyx)
    num_pairs = -(-num_voxels // 2)
    pairs = torch.arange(num_pairs, dtype=torch.int32, device=key_B.device)
    whole = _hash(pairs ^ _hash(key_B.to(torch.int32) + _FIRST)[:, None])
    # (0, 1], so that the logarithm is finite
    radius = _upper_bits(whole).add_(1.0).mul_(2.0**-24).log_().mul_(-2.0).sqrt_()
    angle = _upper_bits(_hash(whole.add_(_SECOND))).mul_(2.0**-24 * 2.0 * math.pi)
    normal = torch.empty((len(key_B), 2 * num_pairs), device=key_B.device)
    torch.mul(angle.cos(), radius, out=normal[:, :num_pairs])
    torch.mul(angle.sin_(), radius, out=normal[:, num_pairs:])
    return normal[:, :num_voxels].view(-1, *shape_zyx)


def cut_out(hu_BZYX: Tensor, findings_BK5: Tensor, draws: Mapping[str, Tensor], spacing_zyx_mm: Spacing) -> Tensor:
    """Return patches in which a cube of `cutout_vox` voxels is air; a cube that would touch a finding is left out.

    The whole cube is inside the patch, at `cutout_place` (0 to 1) along each axis.
    """
    covered, away_mm = [], []
    for axis in range(3):
        size, step = hu_BZYX.shape[axis + 1], spacing_zyx_mm[axis]
        side = draws["cutout_vox"].clamp(max=size)
        first = torch.round(draws["cutout_place"][:, axis] * (size - side))
        index = torch.arange(size, device=hu_BZYX.device)
        covered.append((index >= first[:, None]) & (index < (first + side)[:, None]))
        low_mm = (first - size / 2) * step
        center = findings_BK5[..., axis]
        outside = torch.maximum(low_mm[:, None] - center, center - (low_mm + side * step)[:, None])
        away_mm.append(outside.clamp(min=0))
    nearest_mm2 = away_mm[0].square() + away_mm[1].square() + away_mm[2].square()
    is_touching = nearest_mm2 <= (diameters_mm(findings_BK5) / 2).square()
    is_left_out = (is_touching & (findings_BK5[..., 4] != PADDING)).any(dim=1)
    z, y, x = covered
    is_cut = (z & ~is_left_out[:, None])[:, :, None, None] & y[:, None, :, None] & x[:, None, None, :]
    return torch.where(is_cut, float(AIR_HU), hu_BZYX)


def _hash(whole: Tensor) -> Tensor:
    """Return MurmurHash3's finaliser of 32-bit whole numbers; products wrap around, shifts bring in zeros."""
    whole = whole.bitwise_xor((whole >> 16).bitwise_and_(0xFFFF)).mul_(_FACTORS[0])
    whole.bitwise_xor_((whole >> 13).bitwise_and_(0x7FFFF)).mul_(_FACTORS[1])
    return whole.bitwise_xor_((whole >> 16).bitwise_and_(0xFFFF))


def _upper_bits(whole: Tensor) -> Tensor:
    return (whole >> 8).bitwise_and_(0xFFFFFF).float()


def _wide(values_B: Tensor) -> Tensor:
    return values_B[:, None, None, None]


def _padding(axis: int, radius: int) -> tuple[int, ...]:
    # torch pads from the last axis backwards
    sides = [0] * 6
    sides[2 * (3 - axis)] = sides[2 * (3 - axis) + 1] = radius
    return tuple(sides)
