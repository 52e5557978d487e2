"""From the nodules of the validation volumes to those of the scans that a model is for."""

import math

import numpy as np

from lungpipe.training.members import Material
from lungpipe.volumes.store import open_volume

MM3_PER_LITRE = 1e6


def shift_to_prevalence(validation: Material, nodules_per_litre: float | None) -> float:
    """Return what to add to a nodule's logit so that its probability holds where nodules are this frequent.

    The frequency is per litre of searched volume (lungs, or all of a crop). Cubes around nodules have thirty times as
    many nodules per litre as whole scans have, and as many vessels that look like nodules: with the same logit a
    finding of a whole scan is less often a nodule (prior correction: King and Zeng, Political Analysis 9, 2001).
    Without a frequency, or without validation nodules, the result is 0.
    """
    if nodules_per_litre is None:
        return 0.0
    num_nodules = int(validation.nodules["series_uid"].isin(list(validation.volumes)).sum())
    litres = sum(_searched_litres(validation, uid) for uid in validation.volumes)
    if not num_nodules or not litres:
        return 0.0
    return math.log(nodules_per_litre) - math.log(num_nodules / litres)


def _searched_litres(material: Material, series_uid: str) -> float:
    volume = open_volume(material.volumes[series_uid], series_uid)
    return float(np.count_nonzero(volume.read_lungs()) * np.prod(volume.grid.spacing_zyx_mm) / MM3_PER_LITRE)
