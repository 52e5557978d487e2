"""Random symmetries and intensity changes that keep a nodule a nodule."""

import numpy as np
from numpy.typing import NDArray

from lungpipe.settings.recipe import Normalisation
from lungpipe.volumes.hounsfield import scale_intensity


def augment(
    patches: NDArray[np.float32],
    targets: NDArray[np.uint8] | None,
    rng: np.random.Generator,
    *,
    normalisation: Normalisation,
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    """Flip and turn each patch (N, S, S, S), with its target, by one of the cube's 48 symmetries, and vary intensity.

    Intensities are scaled by 0.9 to 1.1 and shifted by up to 5 % of the HU window: scanners and kernels differ
    by about that much. Returns new arrays.
    """
    turned = np.empty_like(patches)
    turned_targets = None if targets is None else np.empty_like(targets)
    for row in range(len(patches)):
        order, flips = rng.permutation(3), tuple(int(axis) for axis in np.flatnonzero(rng.integers(0, 2, 3)))
        turned[row] = np.flip(patches[row].transpose(order), flips)
        if turned_targets is not None and targets is not None:
            turned_targets[row] = np.flip(targets[row].transpose(order), flips)
    scale = rng.uniform(0.9, 1.1, (len(patches), 1, 1, 1)).astype(np.float32)
    width = float(np.ptp(scale_intensity([0, 1], (0, 1), normalisation)))
    shift = (width * rng.uniform(-0.05, 0.05, (len(patches), 1, 1, 1))).astype(np.float32)
    return turned * scale + shift, turned_targets
