"""Draw the traits of nodules and readers' ratings of their malignancy and other characteristics."""

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Texture = Literal["solid", "part_solid", "ground_glass"]
Margin = Literal["smooth", "lobulated", "spiculated"]
Setting = Literal["isolated", "juxta_vascular", "juxta_pleural"]
Trait = TypeVar("Trait")
TEXTURES: tuple[Texture, ...] = ("solid", "part_solid", "ground_glass")
MARGINS: tuple[Margin, ...] = ("smooth", "lobulated", "spiculated")
SETTINGS: tuple[Setting, ...] = ("isolated", "juxta_vascular", "juxta_pleural")
MIN_DIAMETER_MM = 3.2
MEDIAN_DIAMETER_MM = 8.0
DIAMETER_SPREAD = 0.45
CONSPICUOUS_DIAMETER_MM = 5.5
"""Below this size (mm) nodules are solid and apart from vessels: LUNA16's nodules were marked by at least three of four
readers, who agree mostly on such small nodules."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """Traits of a nodule; the diameter (mm) is that of the sphere of its body's volume."""

    diameter_mm: float
    texture: Texture
    margin: Margin
    setting: Setting
    is_calcified: bool


def draw_appearance(max_diameter_mm: float, rng: np.random.Generator) -> Appearance:
    """Draw the traits of one nodule no larger than `max_diameter_mm`."""
    spread = rng.normal(0, DIAMETER_SPREAD)
    diameter = float(np.clip(MEDIAN_DIAMETER_MM * np.exp(spread), MIN_DIAMETER_MM, max_diameter_mm))
    is_conspicuous = diameter >= CONSPICUOUS_DIAMETER_MM
    texture = _choose(TEXTURES, (0.7, 0.15, 0.15) if is_conspicuous else (1.0, 0.0, 0.0), rng)
    margins = (0.45, 0.25, 0.3) if texture != "ground_glass" else (0.7, 0.3, 0.0)
    # a spicule on a nodule of 4 mm is below the resolution of the scan
    margins = margins if diameter >= 4.5 else (0.65, 0.35, 0.0)
    margin = _choose(MARGINS, margins, rng)
    setting = _choose(SETTINGS, (0.5, 0.22, 0.28) if is_conspicuous else (0.7, 0.0, 0.3), rng)
    is_benign_looking = texture == "solid" and margin == "smooth" and diameter < 10
    is_calcified = is_benign_looking and bool(rng.random() < 0.4)
    return Appearance(diameter, texture, margin, setting, is_calcified)


def risk(appearance: Appearance) -> float:
    """Return the latent malignancy risk in steps of the rating scale; 0 is its middle (3)."""
    texture = {"solid": 0.0, "part_solid": 0.8, "ground_glass": -0.2}[appearance.texture]
    margin = {"smooth": -0.8, "lobulated": 0.1, "spiculated": 1.3}[appearance.margin]
    size = 1.35 * float(np.log(appearance.diameter_mm / 8.5))
    return size + texture + margin - (1.2 if appearance.is_calcified else 0.0)


def draw_ratings(appearance: Appearance, rng: np.random.Generator) -> tuple[int, ...]:
    """Draw the ratings (1-5) of three or four readers around the latent risk."""
    num_readers = 3 + int(rng.random() < 0.6)
    shared = rng.normal(0, 0.25)
    noisy = 3 + risk(appearance) + shared + rng.normal(0, 0.55, num_readers)
    return tuple(int(v) for v in np.clip(np.round(noisy), 1, 5))


def rate_traits(appearance: Appearance, num_readers: int) -> dict[str, tuple[int, ...]]:
    """Return the ratings of the eight characteristics beside malignancy; all readers agree about them.

    The scales are LIDC-IDRI's: subtlety 1 (hard to see) to 5, internal structure 1 (soft tissue), calcification 3
    (solid) or 6 (none), sphericity 5 (round), margin 1 (poorly defined) to 5, lobulation and spiculation 1 (none) to 5,
    texture 1 (ground glass), 3 (part-solid) or 5 (solid).
    """
    is_clear = appearance.texture == "solid"
    traits = {
        "subtlety": int(np.clip(round(appearance.diameter_mm / 2.5) + (1 if is_clear else 0), 1, 5)),
        "internal_structure": 1,
        "calcification": 3 if appearance.is_calcified else 6,
        "sphericity": 4 if appearance.margin == "smooth" else 3,
        "margin": (5 if appearance.margin == "smooth" else 4) if is_clear else 2,
        "lobulation": 4 if appearance.margin == "lobulated" else 1,
        "spiculation": 5 if appearance.margin == "spiculated" else 1,
        "texture": {"solid": 5, "part_solid": 3, "ground_glass": 1}[appearance.texture],
    }
    return {name: (value,) * num_readers for name, value in traits.items()}


def _choose(options: tuple[Trait, ...], weights: tuple[float, ...], rng: np.random.Generator) -> Trait:
    return options[int(rng.choice(len(options), p=weights))]
