"""The page in a browser, by values: position, table, window, slices, requests."""

import pytest
from headless import needs_chromium
from viewer_pages import click, hu, numbers, place, settle, slide
from viewer_scenes import BALLS, TISSUE_HU, ball_center, make_scene

from lungpipe.viewer.page import write_page
from lungpipe.viewer.serve import PageServer

pytestmark = needs_chromium


def test_nothing_is_asked_of_another_place_and_nothing_is_complained_about(open_page, ball_page):
    with open_page(ball_page) as seen:
        seen.page.keyboard.press("2")
        settle(seen.page)
        assert seen.requests == [ball_page.as_uri()]
        assert seen.complaints == []
        answer = seen.page.evaluate("fetch('https://example.org/').then(() => 'sent', (error) => error.name)")
        assert answer == "TypeError"
        assert any("Content Security Policy" in text for text in seen.complaints)


def test_the_most_probable_candidate_is_shown_first(balls):
    z, y, x = ball_center("left")
    assert place(balls) == pytest.approx([x, y, z], abs=1e-6)
    assert hu(balls) == BALLS["left"][1]
    assert balls.get_attribute("#candidates tr.selected", "data-number") == "1"


def test_the_address_may_name_a_candidate_or_a_place(open_page, ball_page):
    z, y, x = ball_center("head")
    with open_page(f"{ball_page.as_uri()}#{x:.2f},{y:.2f},{z:.2f}") as seen:
        assert place(seen.page) == pytest.approx([x, y, z], abs=0.01)
        assert seen.page.get_attribute("#candidates tr.selected", "data-number") == "3"
        slide(seen.page, 0.9)
        assert numbers(seen.page) == []
        # a candidate below the threshold is shown
        z, y, x = ball_center("back")
        seen.page.evaluate(f"location.hash = '{x:.2f},{y:.2f},{z:.2f}'")
        seen.page.wait_for_selector("#candidates tr.selected[data-number='2']")
        assert numbers(seen.page) == [1, 2]
        assert seen.page.input_value("#threshold") == "0.6"
        # no candidate is there
        seen.page.evaluate(f"location.hash = '{x - 8:.2f},{y:.2f},{z:.2f}'")
        # not Playwright's wait for a function, which runs text as code after its first try: the page forbids that
        seen.page.wait_for_selector(f"#hu:text-is('{TISSUE_HU} HU')")
        assert place(seen.page) == pytest.approx([x - 8, y, z], abs=0.01)


def test_a_click_moves_by_the_size_of_its_pixels(balls):
    scale = balls.evaluate("lungpipe.planes.views[0].mmPerPixel")
    box = balls.locator(".pane[data-plane=axial]").bounding_box()
    # the slice of 75 x 61 mm just fits within the frame of one pixel
    assert scale == pytest.approx(max(75 / (box["width"] - 2), 61 / (box["height"] - 2)), rel=0.002)
    click(balls, "axial", 0, 0)
    before = place(balls)
    click(balls, "axial", 50, 30)
    after = place(balls)
    moved = [b - a for a, b in zip(before, after, strict=True)]
    assert moved == pytest.approx([50 * scale, 30 * scale, 0.0], abs=1e-6)


def test_the_slider_hides_rows_and_voxels(balls):
    assert numbers(balls) == [1, 2, 3]
    assert balls.inner_text("#count") == "3 of 3 candidates"
    coloured = "lungpipe.voxels.nodules.reduce((found, label) => found.add(label), new Set()).size - 1"
    assert balls.evaluate(coloured) == 3
    slide(balls, 0.5)
    assert numbers(balls) == [1, 2]
    assert balls.inner_text("#count") == "2 of 3 candidates"
    assert balls.inner_text("#threshold-value") == "0.50"
    assert balls.evaluate(coloured) == 2
    slide(balls, 0.9)
    assert numbers(balls) == []
    assert balls.locator("#candidates tr.selected").count() == 0
    slide(balls, 0)
    assert numbers(balls) == [1, 2, 3]
    assert balls.evaluate(coloured) == 3


def test_headings_sort(balls):
    balls.click("th[data-key=malignancy] button")
    assert numbers(balls) == [3, 2, 1]
    assert balls.get_attribute("th[data-key=malignancy]", "aria-sort") == "descending"
    assert balls.get_attribute("th[data-key=probability]", "aria-sort") is None
    balls.click("th[data-key=malignancy] button")
    assert numbers(balls) == [1, 2, 3]
    cells = balls.locator("#candidates tr[data-number='1'] td").all_inner_texts()
    assert cells == ["1", "0.80", "12.0", "0.10", "left", str(make_scene().marks[0].slice_number)]


@pytest.mark.parametrize(
    ("key", "name", "text"),
    [
        ("1", "Lung", "level -600, width 1500"),
        ("2", "Soft tissue", "level 40, width 400"),
        ("3", "Bone", "level 400, width 1800"),
        ("4", "Wide", "level 0, width 3000"),
    ],
)
def test_keys_choose_the_window(balls, key, name, text):
    balls.keyboard.press("3" if key == "1" else "1")
    balls.keyboard.press(key)
    settle(balls)
    assert balls.inner_text("#window") == text
    assert balls.locator("#windows [aria-pressed=true]").all_text_contents() == [f"{name} {key}"]


def test_the_wheel_and_the_arrows_change_the_slice(balls):
    click(balls, "axial", 0, 0)
    x, y, z = place(balls)
    before = round(z, 6)
    balls.mouse.wheel(0, 100)
    assert abs(place(balls)[2] - before) == pytest.approx(2.0, abs=1.01)
    whole = place(balls)[2]
    balls.keyboard.press("ArrowDown")
    assert abs(place(balls)[2] - whole) == pytest.approx(2.0)
    balls.keyboard.press("ArrowUp")
    assert place(balls) == pytest.approx([x, y, whole])
    for _ in range(9):
        balls.keyboard.press("PageUp")
    # the last slice is not left
    assert place(balls)[2] in (pytest.approx(-120.0 - 26), pytest.approx(-120.0 + 26))
    assert hu(balls) == TISSUE_HU


def test_keys_go_from_candidate_to_candidate(balls):
    for key, number in (("n", 2), ("n", 3), ("n", 1), ("p", 3)):
        balls.keyboard.press(key)
        settle(balls)
        assert balls.get_attribute("#candidates tr.selected", "data-number") == str(number)
    slide(balls, 0.5)
    balls.locator("#threshold").evaluate("(slider) => slider.blur()")
    balls.keyboard.press("n")
    settle(balls)
    assert balls.get_attribute("#candidates tr.selected", "data-number") == "1"


def test_layers_and_help_have_keys(balls):
    for key, name in (("l", "lungs"), ("m", "nodules"), ("o", "hasRings"), ("x", "hasCrosshair")):
        assert balls.get_attribute(f"[data-toggle={name}]", "aria-pressed") == "true"
        balls.keyboard.press(key)
        settle(balls)
        assert balls.get_attribute(f"[data-toggle={name}]", "aria-pressed") == "false"
    assert not balls.is_visible("#help")
    balls.keyboard.press("?")
    assert "next, previous, this candidate" in balls.inner_text("#help")
    balls.keyboard.press("Escape")
    assert not balls.is_visible("#help")


def test_dragging_with_the_right_button_changes_the_window(balls):
    box = balls.locator(".pane[data-plane=axial]").bounding_box()
    balls.mouse.move(box["x"] + 100, box["y"] + 100)
    balls.mouse.down(button="right")
    balls.mouse.move(box["x"] + 125, box["y"] + 90)
    balls.mouse.up(button="right")
    settle(balls)
    assert balls.inner_text("#window") == "level -620, width 1600"
    assert balls.locator("#windows [aria-pressed=true]").count() == 0


def test_the_slice_has_the_number_of_the_scan(balls):
    for row in make_scene().marks:
        balls.click(f"#candidates tr[data-number='{row.number}']")
        settle(balls)
        expected = f"slice {row.slice_number} of 27"
        assert balls.evaluate("lungpipe.geometry.nameSlice('axial', lungpipe.state.index)") == expected


def test_a_page_without_masks_and_candidates_shows_the_middle(open_page, tmp_path):
    write_page(make_scene(lungs=None, nodules=None, marks=(), notes=()), tmp_path / "page.html")
    with open_page(tmp_path / "page.html") as seen:
        assert place(seen.page) == pytest.approx([18.0, 35.0, -120.0])
        assert not seen.page.is_visible("#list")
        assert not seen.page.is_visible("[data-toggle=lungs]")
        assert seen.complaints == []


def test_every_page_says_what_it_is_not_for(balls):
    assert balls.is_visible("text=Research use only, not a medical device >> nth=0")
    assert "A note." in balls.inner_text(".notes")


def test_a_served_page_asks_for_nothing_else(open_page, ball_page):
    from threading import Thread

    with PageServer(ball_page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with open_page(server.url) as seen:
            assert numbers(seen.page) == [1, 2, 3]
            assert seen.requests == [server.url]
            assert seen.complaints == []
        server.shutdown()
