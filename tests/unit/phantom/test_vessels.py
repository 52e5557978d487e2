import numpy as np
import pytest

from lungpipe.phantom.anatomy import Chest, build_anatomy
from lungpipe.phantom.vessels import MURRAY_EXPONENT, grow_tree, grow_vessels


@pytest.fixture(scope="module")
def anatomy():
    rng = np.random.default_rng(3)
    return build_anatomy(Chest.drawn((112.0, 128.0, 160.0), rng), rng)


@pytest.fixture
def tree():
    rng = np.random.default_rng(0)
    return grow_tree(np.zeros(3), rng.uniform(-30, 30, (80, 3)) + np.array([0, 0, 40]), rng)


def test_a_single_target_is_reached_in_a_line_of_equal_radius():
    rng = np.random.default_rng(1)
    tree = grow_tree(np.zeros(3), np.array([[0.0, 0.0, 20.0]]), rng)
    np.testing.assert_allclose(tree.nodes_zyx_mm[-1], [0, 0, 20], atol=1e-9)
    assert tree.parents.tolist() == [0, 0, 1, 2, 3, 4]
    assert np.ptp(tree.radii_mm) < 1e-12


def test_every_node_leads_to_the_root(tree):
    child = np.arange(1, len(tree.parents))
    assert np.all(tree.parents[child] < child)


def test_radii_obey_murrays_law_at_every_fork(tree):
    counts = np.bincount(tree.parents[1:], minlength=len(tree.parents))
    for fork in np.flatnonzero(counts > 1):
        children = np.flatnonzero(tree.parents == fork)
        children = children[children != fork]
        inflow = (tree.radii_mm[children] ** MURRAY_EXPONENT).sum()
        assert tree.radii_mm[fork] ** MURRAY_EXPONENT == pytest.approx(inflow)
    assert tree.radii_mm[0] == tree.radii_mm.max()


def test_pieces_never_widen_toward_the_tips(tree):
    tubes = tree.tubes()
    assert np.all(tubes.start_radii_mm >= tubes.end_radii_mm - 1e-12)
    assert np.all(tubes.start_radii_mm <= 1.3 * tubes.end_radii_mm + 1e-12)


def test_forks_are_nodes_with_two_children_or_more(tree):
    counts = np.bincount(tree.parents[1:], minlength=len(tree.parents))
    assert len(tree.forks()) == (counts > 1).sum() > 10


def test_vessels_lie_in_their_own_lung_and_taper(anatomy):
    rng = np.random.default_rng(4)
    for side, sign in ((0, 1), (1, -1)):
        lung = grow_vessels(anatomy, side, rng)
        for tree in (lung.artery, lung.vein):
            assert np.mean(anatomy.depth_in_lung(tree.nodes_zyx_mm) > 0) > 0.85
            assert np.mean(sign * tree.nodes_zyx_mm[:, 2] > 0) > 0.98
            assert tree.radii_mm.min() < 0.6
            assert 1.5 < tree.radii_mm.max() < 6
        assert np.all(anatomy.depth_in_lung(lung.bronchi.ends_zyx_mm) > 0)
