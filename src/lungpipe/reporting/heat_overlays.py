"""Pictures of a heat map: a candidate in three planes, without and with the map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lungpipe.explain.candidates import PatchMap
from lungpipe.explain.heat_colours import heat_colours
from lungpipe.explain.paste import paste_maps
from lungpipe.geometry import Grid
from lungpipe.geometry.grid import Triple
from lungpipe.prediction.result import NOTICE
from lungpipe.reporting.views import PLANES, View
from lungpipe.tables import replacing
from lungpipe.volumes.volume import MemoryVolume

RING_COLOUR, TEXT_COLOUR = (90, 200, 255), (235, 235, 235)
HEAT_OPACITY = 0.7
"""Opacity where the map has its maximum; in proportion to the map elsewhere."""
PLANE_PIXELS = 240
_HEAD, _FOOT, _GAP, _BAR = 28, 26, 4, 64


@dataclass(frozen=True, slots=True, eq=False)
class HeatPicture:
    """What a picture shows: a candidate's map, world centre (zyx mm), diameter (mm; None: unknown), and a caption."""

    heat: PatchMap
    center_zyx_mm: Triple
    diameter_mm: float | None
    caption: str


def draw_heat(volume: MemoryVolume, shown: HeatPicture, path: Path) -> None:
    """Draw a candidate's patch in three planes as PNG: above without, below with the map; the ring is the nodule."""
    box, grid = _inside(volume.grid, shown.heat.grid)
    hu, heat = volume.hu[box], paste_maps([shown.heat], grid)
    index = grid.to_index(shown.center_zyx_mm)
    longest = max(side * step for side, step in zip(grid.shape_zyx, grid.spacing_zyx_mm, strict=True))
    rows: tuple[list[Image.Image], list[Image.Image]] = ([], [])
    for plane in PLANES:
        view = View.through(index, grid, plane=plane, scale=PLANE_PIXELS / longest)
        plain = view.picture(hu, grid)
        for row, picture in zip(rows, (plain, blend(plain, view.resized(heat, grid))), strict=True):
            row.append(_ringed(picture, view, grid, index=index, diameter_mm=shown.diameter_mm))
    _save(_composed(rows, shown.caption), path)


def blend(picture: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return an RGB picture under the colours of a heat map (rows, columns; 0 to 1)."""
    share = np.clip(heat, 0.0, 1.0)
    colour = 255.0 * heat_colours(share)
    opacity = HEAT_OPACITY * share[..., None]
    return Image.fromarray(np.rint((1.0 - opacity) * np.asarray(picture) + opacity * colour).astype(np.uint8))


def _inside(volume: Grid, patch: Grid) -> tuple[tuple[slice, slice, slice], Grid]:
    """Return the part of the patch that is in the volume: its voxels in the volume, and its grid."""
    start = np.rint(volume.to_index(patch.origin_zyx_mm)).astype(int)
    low = np.clip(start, 0, volume.shape_zyx)
    high = np.clip(start + patch.shape_zyx, 0, volume.shape_zyx)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    depth, height, width = (high - low).tolist()
    first, second, third = volume.to_world(low).tolist()
    return (z, y, x), Grid((depth, height, width), volume.spacing_zyx_mm, (first, second, third))


def _ringed(
    picture: Image.Image, view: View, grid: Grid, *, index: NDArray[np.float64], diameter_mm: float | None
) -> Image.Image:
    ringed = picture.copy()
    if diameter_mm is not None:
        x, y = view.place(index, grid)
        reach = diameter_mm / 2.0 * view.scale
        ImageDraw.Draw(ringed).ellipse((x - reach, y - reach, x + reach, y + reach), outline=RING_COLOUR)
    return ringed


def _composed(rows: tuple[list[Image.Image], list[Image.Image]], caption: str) -> Image.Image:
    heights = [max(picture.height for picture in row) for row in rows]
    width = sum(picture.width for picture in rows[0]) + _GAP * len(rows[0]) + _BAR
    composed = Image.new("RGB", (max(width, round(_font(13).getlength(caption)) + 16), _HEAD + sum(heights) + _FOOT))
    top = _HEAD
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            composed.paste(picture, (left, top))
            left += picture.width + _GAP
        top += height + _GAP
    drawing = ImageDraw.Draw(composed)
    drawing.text((8, 6), caption, fill=TEXT_COLOUR, font=_font(13))
    drawing.text((8, composed.height - _FOOT + 7), NOTICE, fill=TEXT_COLOUR, font=_font(12))
    _draw_bar(composed, left=width - _BAR + 6, top=_HEAD + heights[0] + _GAP + 10, height=heights[1] - 24)
    return composed


def _draw_bar(picture: Image.Image, *, left: int, top: int, height: int) -> None:
    share = np.repeat(np.linspace(1.0, 0.0, height, dtype=np.float32)[:, None], 12, axis=1)
    picture.paste(blend(Image.new("RGB", (12, height)), share), (left, top))
    drawing = ImageDraw.Draw(picture)
    for text, place in (("max", top), ("0", top + height - 12)):
        drawing.text((left + 16, place - 2), text, fill=TEXT_COLOUR, font=_font(12))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=9)
