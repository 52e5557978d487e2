"""The style of all figures: colours for colour-blind readers, and PNG files without time or version."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib import rcsetup
from matplotlib.figure import Figure

from lungpipe.tables import replacing

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
"""Colours of the palette of Okabe and Ito (Color Universal Design, 2008)."""
GREY = "#6B6B6B"
INK, GRID = "#1B2430", "#B0B0B0"
"""Colours of text and axes, and of grid lines."""
PAGE_WIDTH_INCH = 8.0
DOTS_PER_INCH = 200
_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
Dashes = Literal["-", "--"]
_DASHES: tuple[Dashes, ...] = ("-", "--")
# colours first; dashes are used only if a study has more lines than colours
LINE_STYLES = tuple((colour, dashes) for dashes, colour in product(_DASHES, _COLOURS))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with these settings instead of the user's matplotlibrc, so that figures are equal everywhere."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "axes.edgecolor": INK,
                "axes.labelcolor": INK,
                "axes.prop_cycle": rcsetup.cycler(color=_COLOURS),
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.titlelocation": "left",
                "axes.titlesize": 9.5,
                "font.size": 9.0,
                "grid.alpha": 0.3,
                "grid.color": GRID,
                "grid.linewidth": 0.6,
                "legend.frameon": False,
                "text.color": INK,
                "xtick.color": INK,
                "ytick.color": INK,
            }
        )
        yield


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure atomically; the same figure gives the same bytes."""
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
