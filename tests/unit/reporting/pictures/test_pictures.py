"""Galleries and deciding slices: which findings, what is drawn, what the lines say."""

import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lungpipe.candidates import MaskCrop
from lungpipe.candidates.mask_table import to_mask_table
from lungpipe.reporting.examples import Example, Examples, pick_examples
from lungpipe.reporting.pictures.cut import Cut
from lungpipe.reporting.pictures.deciding import draw_deciding, draw_slice
from lungpipe.reporting.pictures.findings import ANNOTATION, CANDIDATE, MASK, Outlines, draw_gallery, draw_planes
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.volumes.store import open_volume


def picture_of(entry):
    return Image.open(BytesIO(base64.b64decode(entry["image"].partition(",")[2])))


def num_pixels(picture, colour):
    return int((np.asarray(picture) == colour).all(axis=-1).sum())


@pytest.fixture(scope="session")
def galleries(figure_inputs):
    examples = pick_examples(figure_inputs.stored.matches, 8)
    return {each.kind: draw_gallery(each, figure_inputs.places) for each in examples}


def test_hits_show_three_planes_of_48_mm_and_say_where_they_are(galleries):
    first, second = galleries["hits"]["shown"]
    assert picture_of(first).size == (3 * 192 + 2 * 4, 192)
    assert first["lines"] == [
        "probability 0.95, annotated 10.0 mm, found 9.0 mm",
        "1.0 mm from the annotated centre",
        "fold 0, patient 1, slice 13 of 24",
    ]
    assert second["lines"][2] == "fold 0, patient 2, slice 11 of 24"


def test_a_miss_without_a_volume_has_its_lines_alone(galleries):
    [miss] = galleries["misses"]["shown"]
    assert miss["image"] is None
    assert miss["lines"] == ["annotated 14.0 mm", "no candidate inside", "fold 1, patient 3"]


def test_false_positives_are_candidates(galleries):
    assert galleries["false_positives"]["num_all"] == 2
    assert galleries["false_positives"]["shown"][0]["lines"][:2] == ["probability 0.70", "candidate of 5.0 mm"]


def test_a_hit_has_both_circles_and_the_outline_of_the_mask(figure_inputs):
    matches = figure_inputs.stored.matches
    hit = pick_examples(matches, 1)[0].shown[0]
    cut = blank_cut(hit.center_zyx_mm)
    mask = np.zeros(cut.hu.shape, bool)
    mask[20:28, 20:28, 30:38] = True
    drawn = draw_planes(hit, cut, Outlines(mask))
    assert num_pixels(drawn, ANNOTATION) > 100
    assert num_pixels(drawn, CANDIDATE) > 100
    assert num_pixels(drawn, MASK) > 100
    plain = draw_planes(replace(hit, mark_center_zyx_mm=None, probability=None), cut, Outlines())
    assert num_pixels(plain, CANDIDATE) == num_pixels(plain, MASK) == 0
    assert num_pixels(plain, ANNOTATION) > 100


def blank_cut(center_zyx_mm):
    from lungpipe.geometry import Grid

    origin = tuple(value - 23.5 for value in center_zyx_mm)
    return Cut(
        np.full((48, 48, 48), -1000, np.int16), np.zeros((48, 48, 48), np.uint8), Grid((48,) * 3, (1.0,) * 3, origin)
    )


def test_a_given_candidate_without_a_diameter_has_no_circle():
    drawn = draw_planes(Example("a", (0.0, 0.0, 0.0), float("nan"), 0.5), blank_cut((0.0, 0.0, 0.0)), Outlines())
    assert num_pixels(drawn, CANDIDATE) == 0


def test_a_candidates_mask_is_outlined_instead_of_its_sphere(figure_inputs):
    # a candidate of 5 mm with a mask of 6 x 12 x 6 mm (zyx), in its volume of voxels of 1 mm
    example = pick_examples(figure_inputs.stored.matches, 1)[2].shown[0]
    assert example.diameter_mm == 5.0
    center = dict(zip(CENTER_COLUMNS, example.center_zyx_mm, strict=True))
    facts = {"candidate_id": "a", "series_uid": example.series_uid, "diameter_mm": 5.0}
    grid = open_volume(figure_inputs.places.stores[example.series_uid]).grid
    masks = to_mask_table(
        pd.DataFrame([{**facts, **center}]), [MaskCrop((18, 44, 12), np.ones((6, 12, 6), dtype=bool))], grid
    )
    places = replace(figure_inputs.places, candidate_masks=masks)
    drawn = picture_of(draw_gallery(Examples("false_positives", (example,), 2), places)["shown"][0])
    is_yellow = np.linalg.norm(np.asarray(drawn).astype(float) - CANDIDATE, axis=-1) < 60
    # 4 pixels a mm: 12 mm by 6 mm in the axial plane, 6 mm by 6 mm in the coronal plane
    for left, size in ((0, (48, 24)), (196, (24, 24))):
        rows, columns = np.nonzero(is_yellow[:, left : left + 192])
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (pytest.approx(size[0], abs=2), pytest.approx(size[1], abs=2))


def test_the_deciding_slice_outlines_the_mask():
    cut = blank_cut((0.0, 0.0, 0.0))
    mask = np.zeros(cut.hu.shape, dtype=bool)
    mask[:, 16:32, 21:27] = True
    plain, drawn = (draw_slice(cut, (0.0, 0.0, 0.0), 4.0, each) for each in (None, mask))
    frame = draw_slice(cut, (0.0, 0.0, 0.0), 4.0, np.zeros_like(mask))
    rows, columns = np.nonzero((np.asarray(drawn) != np.asarray(frame)).any(axis=-1))
    assert np.ptp(rows) + 1 == pytest.approx(16 * 320 / 48, abs=2)
    assert np.ptp(columns) + 1 == pytest.approx(6 * 320 / 48, abs=2)
    # without a mask, a circle of 4 mm
    rows, columns = np.nonzero((np.asarray(plain) != np.asarray(frame)).any(axis=-1))
    assert np.ptp(rows) + 1 == pytest.approx(4 * 320 / 48, abs=2)


def test_a_kind_without_findings_is_empty(figure_inputs):
    gallery = draw_gallery(Examples("misses", (), 0), figure_inputs.places)
    assert gallery == {"kind": "misses", "num_all": 0, "shown": []}


def test_each_patient_has_the_whole_slice_that_decided(figure_inputs):
    slices = draw_deciding(figure_inputs.stored.patients, figure_inputs.places)
    assert slices["num_all"] == 2
    first, second = slices["shown"]
    assert (first["number"], second["number"]) == (1, 2)
    # 0.95 x 0.9 and 0.7 x 0.4
    assert first["lines"] == ["malignancy 0.85", "labelled malignant", "candidate of 9.0 mm", "slice 13 of 24"]
    assert second["lines"] == ["malignancy 0.28", "labelled benign", "candidate of 5.0 mm", "slice 21 of 24"]
    assert picture_of(first).size == (320, 320)


def test_of_many_patients_those_who_contradict_their_label_most_are_shown(figure_inputs):
    slices = draw_deciding(figure_inputs.stored.patients, figure_inputs.places, limit=1)
    # |0.855 - 1| < |0.28 - 0|
    assert [entry["number"] for entry in slices["shown"]] == [2]
    assert slices["num_all"] == 2


def test_the_frame_surrounds_the_candidate_and_the_lungs_are_outlined():
    cut = blank_cut((0.0, 0.0, 0.0))
    cut.lungs[:, 10:40, 10:40] = 1
    drawn = np.asarray(draw_slice(cut, (0.0, 0.0, 0.0), 10.0))
    rows, columns = np.nonzero((drawn == CANDIDATE).all(axis=-1))
    # the radius of 5 mm and 4 mm more, at 320 pixels for 48 mm
    assert np.ptp(rows) == pytest.approx(18 * 320 / 48, abs=2)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(160, abs=2)
    assert (drawn == (70, 150, 255)).all(axis=-1).sum() > 4 * 30 * 6
