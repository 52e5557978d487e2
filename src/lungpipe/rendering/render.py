"""Render one chest: a picture from the front, or a full turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.geometry import Grid
from lungpipe.rendering.chest import Chest
from lungpipe.rendering.marks import Mark
from lungpipe.rendering.pictures import check_ending, framed, write_picture, write_turntable
from lungpipe.rendering.scene import Scene
from lungpipe.rendering.transfer import Transfer

FIRST_ANGLE_DEG = 20.0
"""Slightly from the patient's left, so that the picture has depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A heat map (float32, 0 to 1, zyx) on an axis-aligned grid, and what the map explains, for the caption."""

    values: NDArray[np.float32]
    grid: Grid
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """Side of the picture (pixels), frames of a turn, and the first angle (degrees from the front)."""

    size_pixels: int = 640
    num_frames: int = 48
    angle_deg: float = FIRST_ANGLE_DEG


def render(
    chest: Chest,
    transfer: Transfer,
    path: Path,
    *,
    marks: Sequence[Mark] = (),
    heat: Heat | None = None,
    view: View | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Draw lungs, nodules and a heat map into one file: PNG for one picture, GIF or MP4 for a full turn.

    With a heat map the nodules are outlines, through which the map is seen. `say` gets a line after each tenth of a
    turn.

    Raises:
        PictureError: a path with another ending.
    """
    check_ending(path)
    view = view or View()
    scene = Scene(view.size_pixels)
    scene.add_lungs(chest, transfer)
    scene.add_marks(marks, is_outlined=heat is not None)
    if heat is not None:
        scene.add_heat(heat.values, heat.grid)
    caption = describe(transfer, len(marks), heat)
    has_malignancy = any(mark.malignancy is not None for mark in marks)
    is_turning = path.suffix.lower() != ".png"
    num_frames = view.num_frames if is_turning else 1
    frames = []
    for number in range(num_frames):
        pixels = scene.draw(view.angle_deg + 360.0 * number / num_frames)
        frames.append(framed(pixels, caption, has_malignancy=has_malignancy))
        if say is not None and is_turning and (number + 1) % max(1, num_frames // 10) == 0:
            say(f"{number + 1} of {num_frames} frames")
    if is_turning:
        write_turntable(frames, path)
    else:
        write_picture(frames[0], path)


def describe(transfer: Transfer, num_marks: int, heat: Heat | None = None) -> str:
    """Return the caption: transfer function, number of nodules, and what a heat map explains."""
    texts = {
        "linear": "opacity linear in HU",
        "gradient": "opacity by HU and its gradient",
        "otsu": f"opaque above Otsu's threshold, {transfer.threshold_hu or 0.0:.0f} HU",
    }
    parts = [texts[transfer.name]]
    if num_marks:
        parts.append(f"{num_marks} {'nodule' if num_marks == 1 else 'nodules'}")
    if heat is not None:
        parts.append(heat.meaning)
    return "   ".join(parts)
