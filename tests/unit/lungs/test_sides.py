import numpy as np
import pytest

from lungpipe.lungs.sides import LEFT, RIGHT, split_sides

SHAPE = (40, 40, 80)
SPACING = (2.0, 2.0, 2.0)


def scene(*boxes, gas=()):
    """Air (mask) and HU of boxes (z0, z1, y0, y1, x0, x1) of lung and of gas."""
    air = np.zeros(SHAPE, bool)
    hu = np.full(SHAPE, 40, np.int16)
    for kind, group in ((-850, boxes), (-1000, gas)):
        for z0, z1, y0, y1, x0, x1 in group:
            air[z0:z1, y0:y1, x0:x1] = True
            hu[z0:z1, y0:y1, x0:x1] = kind
    return hu, air


RIGHT_BOX, LEFT_BOX = (5, 35, 5, 35, 5, 35), (5, 35, 5, 35, 45, 75)


def test_two_parts_get_their_sides():
    hu, air = scene(RIGHT_BOX, LEFT_BOX)
    labels = split_sides(hu, air, SPACING, 39.5)
    assert (labels[:, :, :40][air[:, :, :40]] == RIGHT).all()
    assert (labels[:, :, 40:][air[:, :, 40:]] == LEFT).all()
    assert (labels > 0).sum() == air.sum()


@pytest.mark.parametrize("width", [1, 3, 5])
def test_bridge_between_the_lungs_is_cut_and_shared(width):
    hu, air = scene(RIGHT_BOX, LEFT_BOX, (18, 18 + width, 18, 18 + width, 35, 45))
    labels = split_sides(hu, air, SPACING, 39.5)
    assert (labels[:, :, :35][air[:, :, :35]] == RIGHT).all()
    assert (labels[:, :, 45:][air[:, :, 45:]] == LEFT).all()


def test_lungs_that_no_erosion_parts_are_cut_in_the_middle():
    hu, air = scene((5, 35, 5, 35, 5, 75))
    labels = split_sides(hu, air, SPACING, 39.5)
    assert (labels == LEFT).sum() == pytest.approx((labels == RIGHT).sum(), rel=0.1)
    assert (labels > 0).sum() == air.sum()


@pytest.mark.parametrize(("box", "label"), [(RIGHT_BOX, RIGHT), (LEFT_BOX, LEFT)])
def test_single_lung_keeps_its_side(box, label):
    hu, air = scene(box)
    assert set(np.unique(split_sides(hu, air, SPACING, 39.5))) == {0, label}


def test_gas_is_no_lung_even_where_it_is_larger_than_a_lung():
    hu, air = scene(RIGHT_BOX, (20, 30, 5, 35, 60, 75), gas=[(5, 15, 5, 35, 42, 78)])
    labels = split_sides(hu, air, SPACING, 39.5)
    assert not labels[5:15, :, 42:].any()
    assert (labels[20:30, 5:35, 60:75] == LEFT).all()


def test_slit_and_crumb_are_dropped_and_a_third_part_is_kept():
    slit, crumb, lobe = (5, 35, 37, 38, 5, 75), (38, 39, 2, 4, 10, 12), (8, 18, 24, 34, 60, 76)
    hu, air = scene(RIGHT_BOX, (20, 35, 5, 22, 45, 75), slit, crumb, lobe)
    labels = split_sides(hu, air, SPACING, 39.5)
    assert not labels[:, 37].any()
    assert not labels[38:].any()
    assert (labels[8:18, 24:34, 60:76] == LEFT).all()


def test_no_air_gives_no_labels():
    hu, air = scene()
    assert not split_sides(hu, air, SPACING, 39.5).any()
