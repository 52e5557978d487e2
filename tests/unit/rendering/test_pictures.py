"""Rendered pictures as files."""

import sys

import numpy as np
import pytest
from PIL import Image

from lungpipe.rendering.histogram import draw_histogram
from lungpipe.rendering.marks import Mark
from lungpipe.rendering.pictures import PictureError, check_ending, framed, write_picture, write_turntable
from lungpipe.rendering.render import Heat, View, describe, render
from lungpipe.rendering.transfer import linear_transfer, make_transfer, otsu_transfer


def frames(count=6):
    pictures = np.full((count, 40, 50, 3), 255, np.uint8)
    for number in range(count):
        pictures[number, :, 8 * number : 8 * number + 8] = (200, 30, 30)
    return list(pictures)


def test_a_png_has_the_pixels(tmp_path):
    write_picture(frames()[0], tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), frames()[0])


def test_a_gif_has_every_frame_and_turns_for_ever(tmp_path):
    write_turntable(frames(), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as found:
        assert found.n_frames == 6
        assert found.info["loop"] == 0
        assert found.info["duration"] == 1000
        found.seek(3)
        shown = np.asarray(found.convert("RGB")).astype(int)
    assert np.abs(shown - frames()[3]).max() < 40


def test_an_mp4_is_a_video_of_the_frames(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write_turntable(frames(), tmp_path / "a.mp4")
    reader = imageio_ffmpeg.read_frames(tmp_path / "a.mp4")
    meta = next(reader)
    assert meta["size"] == (50, 40)
    assert len(list(reader)) == 6


def test_other_endings_are_refused_before_anything_is_drawn(tmp_path, chest):
    with pytest.raises(PictureError, match=r"a\.jpg: expected an ending of \.png, \.gif, \.mp4"):
        render(chest, linear_transfer(), tmp_path / "a.jpg")
    check_ending(tmp_path / "A.PNG")


def test_without_the_encoder_mp4_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(PictureError, match=r"a\.mp4: expected the package imageio-ffmpeg.*a GIF needs no encoder"):
        check_ending(tmp_path / "a.mp4")


def test_the_frame_has_even_sides_and_a_bar_of_malignancy():
    plain = np.full((41, 301, 3), 255, np.uint8)
    with_bar, without = (framed(plain, "caption", has_malignancy=value) for value in (True, False))
    assert with_bar.shape[0] % 2 == with_bar.shape[1] % 2 == 0
    assert (with_bar[:41, :301] == 255).all()
    is_coloured = with_bar.astype(int).max(axis=-1) - with_bar.astype(int).min(axis=-1) > 80
    assert is_coloured.sum() > 500
    assert (without.max(axis=-1) - without.min(axis=-1) < 10).all()


def test_render_writes_a_picture_and_a_turn(tmp_path, chest):
    heat = Heat(np.zeros(chest.grid.shape_zyx, np.float32), chest.grid, "Grad-CAM of nodule")
    said = []
    render(chest, linear_transfer(), tmp_path / "a.png", marks=[Mark((-80.0, -40.0, 16.0), 8.0)], view=View(80))
    render(chest, linear_transfer(), tmp_path / "a.gif", heat=heat, view=View(80, num_frames=4), say=said.append)
    assert Image.open(tmp_path / "a.png").size == (80, 124)
    with Image.open(tmp_path / "a.gif") as found:
        assert found.n_frames == 4
    assert said[-1] == "4 of 4 frames"


def test_the_caption_names_function_and_nodules():
    assert describe(otsu_transfer(-408.2), 2) == "opaque above Otsu's threshold, -408 HU   2 nodules"
    assert describe(linear_transfer(), 1) == "opacity linear in HU   1 nodule"


def test_the_histogram_is_a_figure(tmp_path, chest):
    draw_histogram(chest.hu, make_transfer("otsu", chest.hu), tmp_path / "h.png")
    draw_histogram(chest.hu, make_transfer("otsu", chest.hu), tmp_path / "again.png")
    draw_histogram(chest.hu, linear_transfer(), tmp_path / "linear.png")
    content = (tmp_path / "h.png").read_bytes()
    assert content == (tmp_path / "again.png").read_bytes() != (tmp_path / "linear.png").read_bytes()
