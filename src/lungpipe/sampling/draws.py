"""All random numbers for the augmentation of a batch, drawn on the host before the batch is cut."""

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from lungpipe.settings.recipe import AugmentationSettings

FloatArray = NDArray[np.float64]

KEY_LIMIT = 2**24
"""Noise keys are whole numbers below this limit, which float32 holds exactly."""
_NUM_DRAWS = 14


def draw_augmentation(
    rng: np.random.Generator, batch_size: int, settings: AugmentationSettings
) -> dict[str, NDArray[np.float32]]:
    """Draw how each of `batch_size` windows is changed; only the changes that the settings ask for have an entry.

    symmetry (B, 3, 3): a signed permutation of the axes (zyx), one of the cube's 48 symmetries.
    rotation (B, 3, 3): rotation matrix (zyx) about a random axis by -rotation_deg to rotation_deg.
    zoom (B,): relative size, 1 - zoom to 1 + zoom.
    hu_scale (B,): factor of HU above air. hu_shift (B,): HU to add.
    noise_hu (B,): standard deviation, HU. noise_key (B,): whole number from which the noise is computed.
    blur_vox (B,): standard deviation, voxels.
    cutout_vox (B,): whole side of the cube, 1 to cutout_vox voxels. cutout_place (B, 3): place along each axis, 0 to 1.

    The number of random values does not depend on the settings, so a change of one setting does not change the draws of
    the others.
    """
    unit = rng.random((batch_size, _NUM_DRAWS))
    symmetric = 2.0 * unit - 1.0
    draws: dict[str, FloatArray] = {}
    if settings.has_symmetries:
        draws["symmetry"] = SYMMETRIES[(unit[:, 0] * len(SYMMETRIES)).astype(np.intp)]
    if settings.rotation_deg:
        angles = np.deg2rad(settings.rotation_deg) * symmetric[:, 3]
        draws["rotation"] = rotation_matrices(_axes(symmetric[:, 1], unit[:, 2]), angles)
    if settings.zoom:
        draws["zoom"] = 1.0 + settings.zoom * symmetric[:, 4]
    if settings.hu_scale:
        draws["hu_scale"] = 1.0 + settings.hu_scale * symmetric[:, 5]
    if settings.hu_shift:
        draws["hu_shift"] = settings.hu_shift * symmetric[:, 6]
    if settings.noise_hu:
        draws["noise_hu"] = settings.noise_hu * unit[:, 7]
        draws["noise_key"] = np.floor(unit[:, 8] * KEY_LIMIT)
    if settings.blur_vox:
        draws["blur_vox"] = settings.blur_vox * unit[:, 9]
    if settings.cutout_vox:
        draws["cutout_vox"] = 1.0 + np.floor(unit[:, 10] * settings.cutout_vox)
        draws["cutout_place"] = unit[:, 11:14]
    return {name: values.astype(np.float32) for name, values in draws.items()}


def rotation_matrices(axes_B3: FloatArray, angles_B: FloatArray) -> FloatArray:
    """Return the matrices (B, 3, 3) of rotations by angles (radians) about unit vectors (Rodrigues' formula).

    Axes and matrices are in array order (zyx). A positive angle about z turns y towards x.
    """
    z, y, x = axes_B3.T
    zero = np.zeros_like(z)
    cross = np.stack([zero, -x, y, x, zero, -z, -y, z, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angles_B)[:, None, None], np.cos(angles_B)[:, None, None]
    return np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)


def _axes(height: FloatArray, turn: FloatArray) -> FloatArray:
    # a uniform height and a uniform angle around the axis are uniform on the sphere (Archimedes)
    radius = np.sqrt(np.maximum(1.0 - height**2, 0.0))
    return np.stack([height, radius * np.cos(2 * np.pi * turn), radius * np.sin(2 * np.pi * turn)], axis=1)


def _list_symmetries() -> FloatArray:
    signs = [np.diag(sign) for sign in product((1.0, -1.0), repeat=3)]
    return np.stack([sign @ np.eye(3)[list(order)] for order in permutations(range(3)) for sign in signs])


SYMMETRIES = _list_symmetries()
"""The cube's 48 symmetries (48, 3, 3): signed permutations of the axes."""
