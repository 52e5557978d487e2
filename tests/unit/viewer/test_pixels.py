"""The page in a browser, by pixels: voxels at their place, colours of the layers."""

import io

import numpy as np
import pytest
from headless import needs_chromium
from PIL import Image
from viewer_pages import settle, slide

pytestmark = needs_chromium


def picture(page, plane):
    """The pixels (y, x, rgb) of a plane, without its frame of one pixel."""
    settle(page)
    content = page.locator(f".pane[data-plane={plane}]").screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)[2:-2, 2:-2]


def quiet(page):
    """Hide everything but the voxels of the scan."""
    for key in "lmox":
        page.keyboard.press(key)


def is_blue(pixels):
    return (pixels[..., 2] - pixels[..., 0] > 15) & (pixels[..., 2] > pixels[..., 1])


def is_yellow(pixels):
    return (pixels[..., 0] - pixels[..., 2] > 40) & (pixels[..., 1] - pixels[..., 2] > 15)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_ball_is_drawn_where_its_position_is(balls, plane):
    quiet(balls)
    pixels = picture(balls, plane)
    x, y = balls.evaluate(
        f"lungpipe.planes.views.find(({{ name }}) => name === '{plane}').toPixel(lungpipe.candidates[0].index)"
    )
    scale = balls.evaluate(f"lungpipe.planes.views.find(({{ name }}) => name === '{plane}').mmPerPixel")
    # the ball is white in the lung window, the tissue around it is grey; the next ball begins 15 mm away
    rows, columns = np.nonzero(pixels.min(axis=-1) > 170)
    is_near = np.hypot(rows - y, columns - x) * scale < 10
    # the picture lacks two pixels at the side, one of them the frame
    assert np.mean(columns[is_near]) == pytest.approx(x - 1, abs=1.5)
    assert np.mean(rows[is_near]) == pytest.approx(y - 1, abs=1.5)
    assert is_near.sum() * scale**2 == pytest.approx(np.pi * 6**2, rel=0.15)


def test_the_left_half_is_blue_on_the_right_of_the_screen(balls):
    pixels = picture(balls, "coronal")
    blue = is_blue(pixels)
    _, width = blue.shape
    assert blue[:, : width // 2 - 20].mean() < 0.01
    assert blue[:, width // 2 + 20 :].mean() > 0.3
    balls.keyboard.press("l")
    assert is_blue(picture(balls, "coronal")).mean() < 0.01


def test_masks_are_yellow_until_their_candidate_is_hidden(balls):
    for key in "lox":
        balls.keyboard.press(key)
    assert is_yellow(picture(balls, "axial")).sum() > 500
    slide(balls, 0.9)
    assert is_yellow(picture(balls, "axial")).sum() == 0
    slide(balls, 0)
    assert is_yellow(picture(balls, "axial")).sum() > 500
    balls.keyboard.press("m")
    assert is_yellow(picture(balls, "axial")).sum() == 0


def test_rings_and_crosshair_are_drawn(balls):
    for key in "lmx":
        balls.keyboard.press(key)
    # the ring of the chosen candidate is green
    pixels = picture(balls, "axial")
    assert ((pixels[..., 1] - pixels[..., 0] > 80) & (pixels[..., 1] > 150)).sum() > 100
    balls.keyboard.press("o")
    balls.keyboard.press("x")
    pixels = picture(balls, "axial")
    assert ((pixels[..., 1] - pixels[..., 0] > 80) & (pixels[..., 1] > 150)).sum() == 0
    assert (pixels[..., 0] - pixels[..., 1] > 80).sum() > 300


def test_the_window_changes_the_grey_of_tissue(balls):
    quiet(balls)
    greys = []
    for key in "124":
        balls.keyboard.press(key)
        greys.append(float(np.median(picture(balls, "coronal"))))
    # -850 HU in windows from -1350 to 150, -160 to 240, -1500 to 1500
    assert greys == pytest.approx([500 / 1500 * 255, 0, 650 / 3000 * 255], abs=2)


def test_a_narrow_window_has_everything_below_each_other(open_page, ball_page):
    with open_page(ball_page, (390, 844)) as seen:
        boxes = [seen.page.locator(f".pane[data-plane={plane}]").bounding_box() for plane in ("axial", "coronal")]
        table = seen.page.locator("#candidates").bounding_box()
        assert boxes[0]["width"] > 370
        assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
        assert table["y"] > boxes[1]["y"] + boxes[1]["height"]
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
        assert is_blue(picture(seen.page, "coronal")).mean() > 0.1
        assert seen.complaints == []
