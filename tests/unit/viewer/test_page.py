"""The file of a page: whole, without identifiers, without addresses of other places."""

import json
import re

import numpy as np
import pytest
from viewer_scenes import DIRECTIONS_ZYX, ball_center, make_grid, make_scene

from lungpipe.viewer.library import read_library
from lungpipe.viewer.page import SCRIPTS, describe, scene_facts, write_page


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(make_scene(notes=("A <b>note</b> & more.",)), path)
    return path.read_text()


def own_text(text):
    """The page without vtk.js and its licences."""
    return text.replace(read_library(), "").partition('id="licences"')[0] + text.rpartition("</script>\n<script>")[2]


def test_no_part_is_left_out(text):
    assert re.search("%(style|scene|voxels|library|script)%", text) is None
    assert text.count('data-array="hu"') == 1
    assert len(SCRIPTS) == len(set(SCRIPTS))
    assert text.rstrip().endswith("</html>")
    assert "Redistribution and use in source and binary forms" in text


def test_nothing_of_another_place_is_loaded(text):
    assert re.findall(r"""(?:src|href|action)=["'](?!data:,)[^"']*""", own_text(text)) == []
    assert "default-src 'none'" in text
    assert "http" not in own_text(text).replace("http-equiv", "")


def test_texts_are_escaped(text):
    assert "A &lt;b&gt;note&lt;/b&gt; &amp; more." in text


@pytest.mark.parametrize("direction", DIRECTIONS_ZYX)
def test_matrices_are_those_of_the_grid(direction):
    grid = make_grid(direction)
    facts = scene_facts(make_scene(direction))
    for index_zyx in ((0, 0, 0), (3, 50, 7), (26, 1, 70)):
        world = np.array(facts["index_to_world"]) @ [*index_zyx[::-1], 1]
        np.testing.assert_allclose(world[::-1], grid.to_world(index_zyx), atol=1e-9)
        np.testing.assert_allclose(np.array(facts["world_to_index"]) @ [*world, 1], index_zyx[::-1], atol=1e-9)
        np.testing.assert_allclose(np.array(facts["world_to_slice"]) @ [*world, 1], index_zyx[0], atol=1e-9)
    assert facts["candidates"][0]["center_xyz_mm"] == list(ball_center("left")[::-1])
    assert json.loads(json.dumps(facts, allow_nan=False)) == json.loads(json.dumps(facts))


def test_the_scan_is_described_by_its_digest_and_its_grids():
    scene = make_scene()
    assert describe(scene) == "scan 0123456789ab: 75 × 61 × 27 voxels of 1 × 1 × 2 mm"
    finer = make_grid(shape_zyx=(54, 61, 75))
    changed = type(scene)(scene.hu, scene.grid, finer, scene.digest)
    assert describe(changed).endswith("2 mm; the scan's own: 75 × 61 × 54 voxels of 1 × 1 × 2 mm")
    assert scene_facts(changed)["num_slices"] == 54
