"""Viewer pages of a study: which scans have one, and what is in it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from lungpipe.candidates import MaskCrop
from lungpipe.candidates.mask_table import to_mask_table
from lungpipe.delivery.study_pages import ShownStudy, scene_of_series, write_study_pages
from lungpipe.geometry import Grid
from lungpipe.reporting.pictures.findings import Places
from lungpipe.reporting.viewer_pages import read_listing
from lungpipe.tables import CENTER_COLUMNS, SCORED
from lungpipe.tables.errors import InputError
from lungpipe.volumes.writer import write_volume

GRID = Grid((12, 16, 20), (2.0, 1.0, 1.0), (-30.0, 5.0, 7.0))
UIDS = ("1.2.840.1", "1.2.840.2", "1.2.840.3", "1.2.840.4")
PLACES = ((4, 5, 6), (8, 9, 10))
"""Voxels (zyx) of the two candidates of each series, the less probable one first."""


def center(index_zyx):
    return dict(zip(CENTER_COLUMNS, map(float, GRID.to_world(index_zyx)), strict=True))


@pytest.fixture
def study(tmp_path):
    """Four scans of which the last has no volume; a false positive in all but the third."""
    stores = {}
    for uid in UIDS[:3]:
        stores[uid] = tmp_path / f"{uid}.ome.zarr"
        hu = np.full(GRID.shape_zyx, -800, np.int16)
        write_volume(stores[uid], hu, GRID, np.ones(hu.shape, np.uint8), series_uid=uid, attributes={})
    rows = [
        {
            "candidate_id": f"{uid}#c{rank}",
            "series_uid": uid,
            **center(place),
            "diameter_mm": 4.0,
            "detector_score": 0.5,
            "fold": 0,
            "probability": 0.3 + 0.4 * rank,
            "malignancy": None if rank else 0.25,
        }
        for uid in UIDS
        for rank, place in enumerate(PLACES)
    ]
    scored = SCORED.conform(pd.DataFrame(rows))
    # the mask of the less probable candidate: 2 x 3 x 3 voxels
    masks = to_mask_table(scored[:1], [MaskCrop((4, 4, 5), np.ones((2, 3, 3), dtype=bool))], GRID)
    places = Places(stores, {}, {}, dict.fromkeys(UIDS, 0), masks)
    matches = scored.assign(kind="mark", fate="false_positive", row=range(len(scored)), partner_row=-1)
    return ShownStudy(matches[matches["series_uid"] != UIDS[2]], scored, places)


def test_scans_of_the_galleries_have_a_page_that_names_nobody(study, tmp_path):
    folder, said = tmp_path / "viewer", []
    folder.mkdir()
    (folder / "scan-9.html").write_text("of an earlier run")
    assert write_study_pages(study, 8, folder, on_page=said.append) == [1, 2]
    assert sorted(path.name for path in folder.iterdir()) == ["pages.json", "scan-1.html", "scan-2.html"]
    assert read_listing(folder / "pages.json") == {1, 2}
    assert [re.sub(r"\d+ MB", "n MB", line) for line in said] == ["scan-1.html: n MB", "scan-2.html: n MB"]
    page = (folder / "scan-1.html").read_text()
    assert not any(uid in page for uid in UIDS)
    [facts] = re.findall(r'<script[^>]*id="scene"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert [one["probability"] for one in json.loads(facts)["candidates"]] == pytest.approx([0.7, 0.3])


def test_only_as_many_findings_as_the_galleries_show_count(study, tmp_path):
    assert write_study_pages(study, 1, tmp_path / "viewer", on_page=str) == [1]


def test_a_page_that_somebody_removed_is_not_listed(study, tmp_path):
    write_study_pages(study, 8, tmp_path / "viewer", on_page=str)
    (tmp_path / "viewer" / "scan-2.html").unlink()
    assert read_listing(tmp_path / "viewer" / "pages.json") == {1}


def test_the_scene_has_the_candidates_by_probability_and_their_masks(study):
    scene = scene_of_series(study, UIDS[0])
    assert [(mark.number, mark.slice_number) for mark in scene.marks] == [(1, 9), (2, 5)]
    assert [mark.malignancy for mark in scene.marks] == [None, 0.25]
    assert scene.marks[1].center_zyx_mm == tuple(GRID.to_world(PLACES[0]))
    assert np.unique(scene.nodules).tolist() == [0, 2]
    assert np.argwhere(scene.nodules == 2).min(axis=0).tolist() == [4, 4, 5]
    assert (scene.nodules == 2).sum() == 18
    assert scene_of_series(study, UIDS[1]).nodules is None


@pytest.mark.parametrize("content", ["{", "[1]", "{}", '{"scans": ["1"]}', '{"scans": 1}'])
def test_a_listing_of_another_content_is_named(tmp_path, content):
    (tmp_path / "pages.json").write_text(content)
    with pytest.raises(InputError, match=r"pages\.json: expected "):
        read_listing(tmp_path / "pages.json")
