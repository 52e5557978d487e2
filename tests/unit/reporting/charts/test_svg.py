"""A chart inside a page: its own ids, the page's colours, no addresses, the same bytes."""

import re

from lungpipe.reporting.charts.svg import legend_below, new_figure, to_svg
from lungpipe.reporting.style import BLUE, house_style


def drawn(name):
    with house_style():
        figure, axes = new_figure()
        axes.plot([0, 1], [0, 1], color=BLUE, label="a <line> & more")
        legend_below(axes)
        return to_svg(figure, name), figure


def test_text_stays_text_and_is_escaped():
    svg, _ = drawn("one")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "a &lt;line&gt; &amp; more" in texts
    assert "0.5" in texts or "0.6" in texts


def test_colours_are_those_of_the_page():
    svg, _ = drawn("one")
    assert "var(--blue, #0072B2)" in svg
    assert "var(--ink, #1B2430)" in svg
    bare = re.sub(r"var\([^)]*\)", "", svg)
    assert re.findall(r"#[0-9a-fA-F]{6}\b", bare) == []


def test_ids_begin_with_the_name_and_all_references_have_one():
    svg, _ = drawn("one")
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("one-") for name in ids)
    references = re.findall(r'(?:xlink:href="|url\()#([^")]+)', svg)
    assert references
    assert set(references) <= set(ids)


def test_no_address_no_size_and_the_same_bytes():
    svg, _ = drawn("one")
    assert "://" not in svg
    assert "<style" not in svg
    assert re.match(r'<svg viewBox="0 0 [\d.]+ [\d.]+"', svg)
    assert svg == drawn("one")[0]


def test_the_legend_is_outside_of_the_axes():
    _, figure = drawn("one")
    [legend] = figure.legends
    box = legend.get_window_extent()
    assert box.y1 <= figure.axes[0].get_tightbbox().y0
