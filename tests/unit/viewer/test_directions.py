"""Scans of any direction are shown as radiologists see them, and each place is where the world says."""

import pytest
from dicom_balls import write_series
from headless import needs_chromium
from viewer_pages import click, hu, place
from viewer_scenes import BALLS, DIRECTIONS_ZYX, ball_center, make_scene

from lungpipe.viewer.open import Shown, open_scene
from lungpipe.viewer.page import write_page

pytestmark = needs_chromium
SEEN = {
    "axial": ((1, 0, 0), (0, -1, 0)),
    "coronal": ((1, 0, 0), (0, 0, 1)),
    "sagittal": ((0, 1, 0), (0, 0, 1)),
}
"""World direction (xyz, LPS) to the right and to the top of the screen in each plane."""
STEP = 40


def check_planes(page, least):
    """Click in each plane and compare the steps of the position with the directions of SEEN (cosine >= `least`)."""
    for plane, directions in SEEN.items():
        places = []
        for right, down in ((0, 0), (STEP, 0), (STEP, -STEP)):
            click(page, plane, right, down)
            places.append(place(page))
        scale = page.evaluate(f"lungpipe.planes.views.find(({{ name }}) => name === '{plane}').mmPerPixel")
        for before, after, axis in zip(places[:-1], places[1:], directions, strict=True):
            along = sum((b - a) * component for a, b, component in zip(before, after, axis, strict=True))
            assert along / (STEP * scale) > least, plane


@pytest.mark.parametrize("direction", DIRECTIONS_ZYX)
def test_planes_and_balls_are_where_they_should_be(open_page, tmp_path, direction):
    write_page(make_scene(direction, (61, 73, 73)), tmp_path / "page.html")
    with open_page(tmp_path / "page.html") as seen:
        # an oblique slice is 20 degrees off the axes of the world
        check_planes(seen.page, 0.9 if direction == "oblique" else 0.999)
        for number, (name, (_, value)) in enumerate(BALLS.items(), start=1):
            seen.page.click(f"#candidates tr[data-number='{number}']")
            assert place(seen.page) == pytest.approx(ball_center(name)[::-1], abs=1e-6)
            assert hu(seen.page) == value
        assert seen.complaints == []


@pytest.mark.parametrize("name", ["feet first", "prone", "tilted and oblique"])
def test_dicom_series_are_shown_at_their_place(open_page, tmp_path, name):
    series = write_series(tmp_path / "series", name)
    x, y, z = series.middle_xyz
    table = tmp_path / "candidates.csv"
    table.write_text(f"seriesuid,coordX,coordY,coordZ,probability\n{series.uid},{x},{y},{z},0.9\n")
    scene = open_scene(series.folder, Shown(table, has_lungs=False), on_remark=lambda line: None)
    write_page(scene, tmp_path / "page.html")
    with open_page(tmp_path / "page.html") as seen:
        assert place(seen.page) == pytest.approx([x, y, z], abs=0.01)
        check_planes(seen.page, 0.9 if "oblique" in name else 0.999)
    # 40 slices: the middle lies between two of them
    assert scene.marks[0].slice_number in (20, 21)
    text = (tmp_path / "page.html").read_text()
    assert [name for name in ("Doe^", "Jane", "19500101", series.uid) if name in text] == []
