"""Group the outlines of several readers to physical nodules, and match these to LUNA16's annotations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import hits
from lungpipe.lidc.outlines import measure
from lungpipe.lidc.pixel_map import PixelMap
from lungpipe.lidc.xml import Reading, ReadNodule

MIN_READERS = 3
"""LUNA16 annotates nodules that at least three of the four readers outlined (Setio et al., Med Image Anal 2017)."""


@dataclass(frozen=True, slots=True, eq=False)
class NoduleGroup:
    """One physical nodule: at most one outlined nodule per reader, in the order of readers, and its mean centre."""

    members: tuple[ReadNodule, ...]
    center_zyx_mm: tuple[float, float, float]

    def ratings(self, characteristic: str) -> tuple[int, ...]:
        """Return the readers' ratings of a characteristic, in the order of readers, without missing ratings."""
        return tuple(member.ratings[characteristic] for member in self.members if member.ratings)


def group_nodules(reading: Reading, pixels: PixelMap) -> tuple[NoduleGroup, ...]:
    """Group a reading's outlined nodules, nearest pairs first.

    Two belong together when their centres are nearer than the sum of their radii (LUNA16's rule); a radius is that of
    the disc as large as the largest slice. A pair that would put two nodules of one reader into one group is
    skipped, since readers do not mark a nodule twice.
    """
    outlined = [measure(nodule) for nodule in reading.nodules]
    if not outlined:
        return ()
    centers = pixels.to_world([item.center for item in outlined])
    pixel_mm2 = abs(pixels.scale_yx_mm[0] * pixels.scale_yx_mm[1])
    radii = np.sqrt(np.array([max(item.max_slice_pixels, 1) for item in outlined]) * pixel_mm2 / np.pi)
    groups = [[index] for index in range(len(outlined))]
    member_of = list(range(len(outlined)))
    for first, second in _near_pairs(centers, radii):
        a, b = groups[member_of[first]], groups[member_of[second]]
        readers = [reading.nodules[index].reader for index in (*a, *b)]
        if a is b or len(set(readers)) < len(readers):
            continue
        a.extend(b)
        for index in b:
            member_of[index] = member_of[first]
    merged = [sorted(groups[label], key=lambda i: reading.nodules[i].reader) for label in sorted(set(member_of))]
    return tuple(_group(reading, centers, indices) for indices in merged)


def match_groups(
    groups: Sequence[NoduleGroup], centers_zyx_mm: NDArray[np.float64], diameters_mm: NDArray[np.float64]
) -> list[NoduleGroup | None]:
    """Return each annotation's group: the nearest group with its centre inside the annotation's sphere; used once.

    Groups of at least three readers come first (one reader may have split what the others outlined whole, and the
    part be nearer), then nearest pairs, so that of two annotations the nearer one gets a group.
    """
    found: list[NoduleGroup | None] = [None] * len(centers_zyx_mm)
    positions = np.array([group.center_zyx_mm for group in groups]).reshape(-1, 3)
    is_hit = hits(positions, centers_zyx_mm, diameters_mm)
    distances = np.linalg.norm(positions[:, None] - centers_zyx_mm[None], axis=-1)
    is_lone = [len(group.members) < MIN_READERS for group in groups]
    used: set[int] = set()
    pairs = np.argwhere(is_hit).tolist()
    for group, row in sorted(pairs, key=lambda pair: (is_lone[pair[0]], distances[pair[0], pair[1]])):
        if group not in used and found[row] is None:
            found[row] = groups[group]
            used.add(group)
    return found


def match_heights(
    groups: Sequence[NoduleGroup], centers_zyx_mm: NDArray[np.float64], diameters_mm: NDArray[np.float64]
) -> list[NoduleGroup | None]:
    """Return each annotation's group by z alone, for readings whose x and y positions are unknown.

    The group must have at least three readers and a centre within the annotation's radius in z, and neither may have
    another partner. Otherwise the annotation has no group.
    """
    many = [group for group in groups if len(group.members) >= MIN_READERS]
    heights = np.array([group.center_zyx_mm[0] for group in many]).reshape(-1, 1)
    is_near = np.abs(heights - centers_zyx_mm[:, 0]) < diameters_mm / 2
    found: list[NoduleGroup | None] = [None] * len(centers_zyx_mm)
    for group, row in np.argwhere(is_near).tolist():
        if is_near[group].sum() == 1 and is_near[:, row].sum() == 1:
            found[row] = many[group]
    return found


def _near_pairs(centers: NDArray[np.float64], radii: NDArray[np.float64]) -> list[tuple[int, int]]:
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    first, second = np.nonzero(np.triu(distances < radii[:, None] + radii[None], k=1))
    order = np.argsort(distances[first, second], kind="stable")
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))


def _group(reading: Reading, centers: NDArray[np.float64], indices: list[int]) -> NoduleGroup:
    z, y, x = centers[indices].mean(axis=0).tolist()
    return NoduleGroup(tuple(reading.nodules[index] for index in indices), (z, y, x))
