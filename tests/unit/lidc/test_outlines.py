"""What outlines enclose, counted by hand."""

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.lidc.outlines import check_upright, consensus_mask, measure, slice_masks
from lungpipe.lidc.xml import Contour, ReadingError, ReadNodule

GRID = Grid((5, 40, 50), (2.0, 0.5, 0.5), (-10.0, 3.0, 4.0))


def outline(writing, low, high, z=-8.0, is_inclusion=True):
    return Contour(z, np.array(writing.square(low, high)), is_inclusion)


def nodule(*contours, reader=0):
    return ReadNodule(reader, f"N{reader}", {}, contours)


def test_an_outline_lies_outside_what_it_encloses(writing):
    ((corner, mask),) = slice_masks(nodule(outline(writing, 10, 12))).values()
    assert corner == (9, 9)
    assert mask.shape == (5, 5)
    assert np.argwhere(mask).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3)]


def test_a_slanted_outline(writing):
    # a diamond: the pixels nearer than 3 steps (in y plus x) are inside
    edge = [
        (7, 10),
        (8, 11),
        (9, 12),
        (10, 13),
        (11, 12),
        (12, 11),
        (13, 10),
        (12, 9),
        (11, 8),
        (10, 7),
        (9, 8),
        (8, 9),
    ]
    ((corner, mask),) = slice_masks(nodule(Contour(0.0, np.array(edge), True))).values()
    rows, columns = np.indices(mask.shape)
    distance = np.abs(rows + corner[0] - 10) + np.abs(columns + corner[1] - 10)
    np.testing.assert_array_equal(mask, distance < 3)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_exclusion_takes_its_outline_along(writing, is_first):
    whole, hole = outline(writing, 10, 16), outline(writing, 13, 13, is_inclusion=False)
    measured = measure(nodule(*((hole, whole) if is_first else (whole, hole))))
    assert measured.num_pixels == 7 * 7 - 3 * 3
    assert measured.center == (-8.0, 13.0, 13.0)


def test_centre_and_size_count_pixels_over_slices(writing):
    measured = measure(nodule(outline(writing, 10, 12, z=-8), outline(writing, 10, 10, z=-6)))
    assert measured.num_pixels == 10
    assert measured.max_slice_pixels == 9
    assert measured.center == pytest.approx((-7.8, (9 * 11 + 10) / 10, 10.9))


def test_outlines_that_enclose_nothing_are_where_they_are_drawn():
    line = Contour(4.0, np.array([(5, 5), (5, 6), (5, 7)]), True)
    measured = measure(nodule(line))
    assert (measured.center, measured.num_pixels, measured.max_slice_pixels) == ((4.0, 5.0, 6.0), 0, 1)


def test_consensus_counts_the_readers_of_each_voxel(writing):
    readers = [nodule(outline(writing, 10, high), reader=k) for k, high in enumerate((12, 13, 14, 15))]
    volume = {share: int(consensus_mask(readers, GRID, share).sum()) for share in (0.25, 0.5, 0.75, 1.0)}
    assert volume == {0.25: 36, 0.5: 25, 0.75: 16, 1.0: 9}
    mask = consensus_mask(readers, GRID)
    # z -8 is the second slice of a grid that starts at -10 in steps of 2
    assert np.unique(np.argwhere(mask)[:, 0]).tolist() == [1]
    assert (mask[1, 10:15, 10:15]).all()


def test_a_flipped_slice_axis_is_followed(writing):
    flipped = Grid((5, 40, 50), (2.0, 0.5, 0.5), (-2.0, 3.0, 4.0), ((-1, 0, 0), (0, -1, 0), (0, 0, -1)))
    mask = consensus_mask([nodule(outline(writing, 10, 12))], flipped)
    assert np.argwhere(mask)[0].tolist() == [3, 10, 10]


@pytest.mark.parametrize(
    ("z", "low", "words"),
    [
        (-7.0, 10, "expected outlines on slices of the scan, found one at z -7 mm"),
        (2.0, 10, "found one at z 2 mm"),
        (-8.0, 38, r"expected outlines within \(5, 40, 50\) \(zyx\), an outline up to pixel y 40, x 40"),
    ],
)
def test_outlines_beside_the_scan_are_refused(writing, z, low, words):
    with pytest.raises(ReadingError, match=rf"nodule N0: .*{words}"):
        consensus_mask([nodule(outline(writing, low, low + 1, z=z))], GRID)


def test_an_oblique_scan_is_refused():
    c, s = np.cos(0.3), np.sin(0.3)
    oblique = Grid((5, 40, 50), direction_zyx=((1, 0, 0), (0, c, -s), (0, s, c)))
    with pytest.raises(ValueError, match="expected a scan whose axes lie along z, y and x"):
        check_upright(oblique)
