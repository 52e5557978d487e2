"""Branching trees that fill a lung: arteries, veins, and bronchi beside the arteries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungpipe.phantom.anatomy import Anatomy
from lungpipe.phantom.fields import FloatArray
from lungpipe.phantom.paint import Tubes

DETOUR_WEIGHT = 0.45
"""Weight of the path to the root relative to the distance to the tree (balancing factor of Cuntz et al. 2010)."""
MURRAY_EXPONENT = 2.7
STEP_MM = 4.0


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes (N, 3) zyx mm, the parent of each (the root is its own) and its radius (N,) mm."""

    nodes_zyx_mm: FloatArray
    parents: NDArray[np.int64]
    radii_mm: FloatArray

    def tubes(self) -> Tubes:
        """Return the piece from each node's parent to the node; a piece never starts thicker than 1.3 of its end."""
        child = np.arange(1, len(self.parents))
        parent = self.parents[child]
        starts = np.minimum(self.radii_mm[parent], 1.3 * self.radii_mm[child])
        return Tubes(self.nodes_zyx_mm[parent], self.nodes_zyx_mm[child], starts, self.radii_mm[child])

    def forks(self) -> FloatArray:
        """Return the branching points (F, 3) zyx mm."""
        counts = np.bincount(self.parents[1:], minlength=len(self.parents))
        return self.nodes_zyx_mm[counts > 1]


@dataclass(frozen=True, slots=True)
class LungVessels:
    """Arteries, veins and bronchi of one lung."""

    artery: Tree
    vein: Tree
    bronchi: Tubes


def grow_vessels(anatomy: Anatomy, side: int, rng: np.random.Generator) -> LungVessels:
    """Grow the trees of the left (0) or right (1) lung from its hilum."""
    hilum = anatomy.hila_zyx_mm[side]
    count = int(np.clip(3.6 * anatomy.lung_volume_ml(side) ** 0.8, 30, 2500))
    scale = anatomy.chest.scale
    artery = grow_tree(hilum + np.array([6 * scale, 0, 0]), anatomy.lung_points(side, count, rng), rng)
    vein = grow_tree(hilum - np.array([10 * scale, 8 * scale, 0]), anatomy.lung_points(side, count, rng), rng)
    return LungVessels(artery, vein, _bronchi_beside(artery, anatomy, rng))


def grow_tree(root_zyx_mm: FloatArray, targets_zyx_mm: FloatArray, rng: np.random.Generator) -> Tree:
    """Join targets (T, 3) to a tree, nearest to the root first, each where new branch and path to the root are short.

    After Cuntz et al., One rule to grow them all, PLoS Comput Biol 2010; radii by Murray's law from the tips inward.
    """
    order = np.argsort(((targets_zyx_mm - root_zyx_mm) ** 2).sum(axis=1))
    nodes, ways, parents = [root_zyx_mm[None]], [np.zeros(1)], [np.zeros(1, dtype=np.int64)]
    all_nodes, all_ways = nodes[0], ways[0]
    for target in targets_zyx_mm[order]:
        gaps = np.sqrt(((all_nodes - target) ** 2).sum(axis=1))
        joint = int(np.argmin(gaps + DETOUR_WEIGHT * all_ways))
        pieces = max(1, int(np.ceil(gaps[joint] / STEP_MM)))
        share = (np.arange(1, pieces + 1) / pieces)[:, None]
        wobble = rng.normal(0, 0.07 * gaps[joint], 3) * np.sin(np.pi * share)
        path = all_nodes[joint] + share * (target - all_nodes[joint]) + wobble
        first = len(all_nodes)
        parents.append(np.concatenate([[joint], np.arange(first, first + pieces - 1)]).astype(np.int64))
        all_ways = np.concatenate([all_ways, all_ways[joint] + share[:, 0] * gaps[joint]])
        all_nodes = np.concatenate([all_nodes, path])
    all_parents = np.concatenate(parents)
    return Tree(all_nodes, all_parents, _murray_radii(all_parents, rng.uniform(0.42, 0.55)))


def _murray_radii(parents: NDArray[np.int64], tip_mm: float) -> FloatArray:
    flow = np.zeros(len(parents))
    flow[np.bincount(parents[1:], minlength=len(parents)) == 0] = tip_mm**MURRAY_EXPONENT
    for child in range(len(parents) - 1, 0, -1):
        flow[parents[child]] += flow[child]
    return flow ** (1 / MURRAY_EXPONENT)


def _bronchi_beside(artery: Tree, anatomy: Anatomy, rng: np.random.Generator) -> Tubes:
    """Return air tubes that follow the thicker arteries at a fixed side; radii are those of the lumen."""
    pieces = artery.tubes()
    lumen = 0.75 * artery.radii_mm
    sideways = rng.normal(size=3)
    sideways /= np.linalg.norm(sideways)
    shift = (1.0 + lumen + artery.radii_mm)[:, None] * sideways
    nodes = artery.nodes_zyx_mm + shift
    thick = pieces.end_radii_mm > max(0.95, 1.6 * anatomy.chest.scale)
    # the main bronchi reach the hilum; an air tube outside the lung would be a hole in the mediastinum
    deep = anatomy.depth_in_lung(nodes) > artery.radii_mm
    child = np.flatnonzero(thick & deep[1:] & deep[artery.parents[1:]]) + 1
    parent = artery.parents[child]
    return Tubes(nodes[parent], nodes[child], np.minimum(lumen[parent], 1.3 * lumen[child]), lumen[child])
