"""A figure as SVG inside an HTML page: the page's colours, no names that clash, the same bytes for the same figure."""

import re
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lungpipe.reporting.style import BLUE, GREEN, GREY, GRID, INK, ORANGE, PURPLE, SKY, VERMILION

VARIABLES = {
    INK: "--ink",
    GREY: "--quiet",
    GRID: "--grid",
    "#FFFFFF": "--card",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    VERMILION: "--vermilion",
    PURPLE: "--purple",
    SKY: "--sky",
}
"""The page's CSS variable of every colour."""
Drawn = tuple[str, str, str, Figure]
"""Name, section, caption and figure of a chart."""
CHART_INCH = (4.2, 3.4)
WIDE_INCH = (5.4, 3.7)


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of a section of the page: its name, caption with the numbers of cases, and SVG."""

    name: str
    section: str
    caption: str
    svg: str

    def to_json(self) -> dict[str, Any]:
        """Return the chart as JSON content."""
        return asdict(self)


def new_figure(size_inch: tuple[float, float] = CHART_INCH) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes."""
    figure = Figure(figsize=size_inch, layout="constrained")
    return figure, figure.add_subplot()


def legend_below(axes: Axes, num_columns: int = 2, title: str | None = None) -> None:
    """Put the legend below the axes, where it covers no curve; nothing without labelled lines."""
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.figure
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=num_columns, frameon=False, title=title)


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for a page; ids begin with `name`, which no other figure of the page has.

    Text stays text. Colours of the house become CSS variables (`VARIABLES`), with the colour itself as fallback.
    """
    stream = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # matplotlib's style is for all elements of the document: the page has it for its figures
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="([\d.]+)pt"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for colour, variable in VARIABLES.items():
        svg = re.sub(colour, f"var({variable}, {colour.upper()})", svg, flags=re.IGNORECASE)
    return svg.strip()
