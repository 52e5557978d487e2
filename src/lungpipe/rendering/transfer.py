"""Transfer functions: which HU are shown, in which colour, and how opaque."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungpipe.terms import AIR_HU

TransferName = Literal["linear", "gradient", "otsu"]
TRANSFER_NAMES: tuple[TransferName, ...] = ("linear", "gradient", "otsu")
Rgb = tuple[float, float, float]

HISTOGRAM_HU = (AIR_HU, 400)
"""HU of the histogram; darker and brighter voxels are counted in its first and last bin."""
BIN_HU = 8
COLOURS: tuple[tuple[float, Rgb], ...] = (
    (-1000.0, (0.55, 0.68, 0.95)),
    (-700.0, (0.62, 0.72, 0.95)),
    (-400.0, (0.86, 0.56, 0.48)),
    (0.0, (0.90, 0.62, 0.50)),
    (300.0, (0.98, 0.90, 0.82)),
)
"""HU and colour (red, green, blue; 0 to 1): blue for air in the lungs, red for tissue, white for bone and calcium."""
_STEP_HU = 20.0
"""The opacity rises over this many HU at Otsu's threshold, so that surfaces are smooth."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer function, linear between its points.

    opacity: HU and opacity (0 to 1) per mm of the ray. gradient: change of HU per mm and a factor of the opacity; empty
    where the opacity depends on HU alone. threshold_hu: Otsu's threshold, for the function that uses the threshold.
    """

    name: TransferName
    opacity: tuple[tuple[float, float], ...]
    gradient: tuple[tuple[float, float], ...] = ()
    threshold_hu: float | None = None
    colours: tuple[tuple[float, Rgb], ...] = COLOURS

    def opacity_at(self, hu: ArrayLike) -> NDArray[np.float64]:
        """Return the opacity of HU, before the factor of the gradient."""
        places, values = zip(*self.opacity, strict=True)
        return np.interp(np.asarray(hu, dtype=np.float64), places, values)


def linear_transfer() -> Transfer:
    """Return an opacity that rises with HU: air is clear, lung tissue is mist, vessels and nodules are dense."""
    return Transfer("linear", ((-1000.0, 0.0), (-750.0, 0.002), (-500.0, 0.02), (0.0, 0.20), (300.0, 0.60)))


def gradient_transfer() -> Transfer:
    """Return an opacity that also rises with the change of HU: borders are shown, and homogeneous regions are clear.

    Source: Levoy, "Display of surfaces from volume data", IEEE Computer Graphics and Applications 1988.
    """
    opacity = ((-1000.0, 0.0), (-900.0, 0.01), (-500.0, 0.06), (0.0, 0.35), (300.0, 0.60))
    return Transfer("gradient", opacity, ((0.0, 0.0), (30.0, 0.0), (120.0, 0.4), (300.0, 1.0)))


def otsu_transfer(threshold_hu: float) -> Transfer:
    """Return an opacity that is 0 below Otsu's threshold and 1 above: air is clear, tissue is opaque."""
    half = _STEP_HU / 2.0
    points = ((float(AIR_HU), 0.0), (threshold_hu - half, 0.0), (threshold_hu + half, 1.0), (3000.0, 1.0))
    return Transfer("otsu", points, threshold_hu=threshold_hu)


def make_transfer(name: TransferName, hu: NDArray[np.int16]) -> Transfer:
    """Return the transfer function of a name; `hu` are the voxels of which Otsu's threshold is computed.

    Raises:
        ValueError: another name.
    """
    if name == "otsu":
        return otsu_transfer(otsu_threshold(*count_hu(hu)))
    makers: Mapping[str, Transfer] = {"linear": linear_transfer(), "gradient": gradient_transfer()}
    if name not in makers:
        raise ValueError(f"transfer: expected one of {', '.join(TRANSFER_NAMES)}, found {name!r}")
    return makers[name]


def count_hu(hu: NDArray[np.int16]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the number of voxels in each bin of 8 HU, and the middles of the bins (HU)."""
    low, high = HISTOGRAM_HU
    edges = np.arange(low, high + BIN_HU, BIN_HU)
    counts = np.bincount(
        ((np.clip(hu, low, high - 1).ravel().astype(np.int32) - low) // BIN_HU), minlength=len(edges) - 1
    )
    return counts.astype(np.int64), (edges[:-1] + edges[1:]) / 2.0


def otsu_threshold(counts: Sequence[int] | NDArray[np.int64], middles_hu: NDArray[np.float64]) -> float:
    """Return the threshold (HU) that separates two classes with the largest variance between their means.

    The threshold is halfway between the two bins that it separates. Source: Otsu, "A threshold selection method from
    gray-level histograms", IEEE Transactions on Systems, Man, and Cybernetics 1979.

    Raises:
        ValueError: fewer than two bins with voxels, which have no threshold between them.
    """
    number = np.asarray(counts, dtype=np.float64)
    if np.count_nonzero(number) < 2:
        raise ValueError("Otsu's threshold: expected voxels of different HU, found all of them equal")
    below = np.cumsum(number)[:-1]
    above = number.sum() - below
    sums = np.cumsum(number * middles_hu)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
        between = np.where((below > 0) & (above > 0), below * above * apart**2, -1.0)
    # between two humps with empty bins all thresholds are equally good: take the middle one
    best = np.flatnonzero(np.isclose(between, between.max(), rtol=1e-9))
    return float((middles_hu[best[0]] + middles_hu[best[-1] + 1]) / 2.0)
