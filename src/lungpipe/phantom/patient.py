"""One phantom patient: the parts that two scans of the same chest share."""

from dataclasses import dataclass

import numpy as np

from lungpipe.phantom.anatomy import Anatomy, Chest, build_anatomy
from lungpipe.phantom.decoys import Decoy
from lungpipe.phantom.nodules import Nodule
from lungpipe.phantom.placement import place_decoys, place_nodules
from lungpipe.phantom.skeleton import Bones, build_bones
from lungpipe.phantom.vessels import LungVessels, grow_vessels
from lungpipe.settings import PhantomSettings


@dataclass(frozen=True, slots=True)
class Patient:
    """A chest with its vessels and findings, in the body frame (LPS mm around the middle of the chest)."""

    anatomy: Anatomy
    bones: list[Bones]
    vessels: list[LungVessels]
    """left lung, right lung"""
    nodules: list[Nodule]
    decoys: list[Decoy]


def draw_patient(settings: PhantomSettings, has_nodules: bool, rng: np.random.Generator) -> Patient:
    """Draw a patient; the same generator state gives the same patient."""
    chest = Chest.drawn(settings.extent_zyx_mm, rng)
    anatomy = build_anatomy(chest, rng)
    bones = build_bones(chest, rng)
    vessels = [grow_vessels(anatomy, side, rng) for side in (0, 1)]
    nodules = place_nodules(anatomy, vessels, settings.nodules_per_scan, rng) if has_nodules else []
    return Patient(anatomy, bones, vessels, nodules, place_decoys(anatomy, nodules, rng))
