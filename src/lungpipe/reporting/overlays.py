"""Pictures of a prediction: an overview of the chest, and every candidate in three planes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lungpipe.geometry import Grid
from lungpipe.prediction.paint import paint_nodules
from lungpipe.prediction.result import NOTICE, Candidate, Prediction
from lungpipe.reporting.views import PLANES, Colour, Plane, View, beside, paint
from lungpipe.tables import replacing
from lungpipe.terms import counted

LUNG_COLOUR: Colour = (70, 150, 255)
NODULE_COLOUR: Colour = (255, 210, 0)
TEXT_COLOUR: Colour = (235, 235, 235)
MAX_PICTURES = 30
"""Only the most probable candidates get a picture of their own."""
_CHEST_PIXELS = 512
_ZOOM_MM, _ZOOM_PIXELS = 50.0, 256
_HEAD, _FOOT, _GAP = 30, 26, 6


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """HU, lungs and the candidates' numbers on the volume's grid."""

    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8] | None
    nodules: NDArray[np.uint16]
    grid: Grid

    def draw(self, view: View, *, is_lung_shown: bool) -> Image.Image:
        picture = view.picture(self.hu, self.grid)
        if is_lung_shown and self.lungs is not None:
            picture = paint(picture, view.outline(self.lungs, self.grid), LUNG_COLOUR)
        return paint(picture, view.outline(self.nodules, self.grid), NODULE_COLOUR)


def draw_overlays(prediction: Prediction, folder: Path) -> tuple[Path, ...]:
    """Write overview.png and candidate-<number>.png for the most probable candidates into a folder; return the paths.

    Outlines: blue the lungs, yellow the candidates. Every picture says that it is for research only.
    """
    layers = _layers(prediction)
    paths = [Path(folder) / "overview.png"]
    _save(_overview(prediction, layers), paths[0])
    for candidate in prediction.candidates[:MAX_PICTURES]:
        paths.append(Path(folder) / f"candidate-{candidate.number:02d}.png")
        _save(_picture(candidate, layers, prediction.scan_grid), paths[-1])
    return tuple(paths)


def _layers(prediction: Prediction) -> _Layers:
    volume = prediction.volume
    nodules = np.zeros(volume.grid.shape_zyx, dtype=np.uint16)
    paint_nodules(nodules, volume.grid, prediction.masks, volume.grid)
    return _Layers(volume.hu, volume.lungs, nodules, volume.grid)


def _picture(candidate: Candidate, layers: _Layers, scan_grid: Grid) -> Image.Image:
    """Return the axial slice of a candidate, and its surroundings in three planes beside that slice."""
    index = layers.grid.to_index(candidate.center_zyx_mm)
    whole = _whole(layers.grid, "axial", index)
    chest = layers.draw(whole, is_lung_shown=True)
    x, y = whole.place(index, layers.grid)
    reach = _reach_mm(candidate) * whole.scale
    ImageDraw.Draw(chest).rectangle((x - reach, y - reach, x + reach, y + reach), outline=NODULE_COLOUR)
    zooms = [layers.draw(_zoom(layers.grid, plane, index), is_lung_shown=False) for plane in PLANES]
    unknown = "" if candidate.malignancy is None else f"   malignancy {candidate.malignancy:.2f}"
    side = "" if candidate.side is None else f"   {candidate.side} lung"
    head = (
        f"candidate {candidate.number}   probability {candidate.probability:.2f}{unknown}   "
        f"{candidate.diameter_mm:.1f} mm   {candidate.volume_mm3:.0f} mm3   "
        f"slice {candidate.slice_number} of {scan_grid.shape_zyx[0]}{side}"
    )
    return _framed(beside([chest, _column([beside(zooms[:2], _GAP), zooms[2]])], _GAP), head)


def _overview(prediction: Prediction, layers: _Layers) -> Image.Image:
    """Return the middle of the chest from the front and from the side, with a ring around every candidate."""
    pictures = []
    middle = _middle(layers)
    for plane in ("coronal", "sagittal"):
        view = _whole(layers.grid, plane, middle)
        picture = layers.draw(view, is_lung_shown=True)
        drawing = ImageDraw.Draw(picture)
        for candidate in prediction.candidates:
            x, y = view.place(layers.grid.to_index(candidate.center_zyx_mm), layers.grid)
            reach = _reach_mm(candidate) * view.scale
            drawing.ellipse((x - reach, y - reach, x + reach, y + reach), outline=NODULE_COLOUR)
            drawing.text((x + reach + 2, y - 7), str(candidate.number), fill=NODULE_COLOUR, font=_font(13))
        pictures.append(picture)
    found = f"{counted(len(prediction.candidates), 'candidate')} of probability {prediction.threshold:g} or more"
    return _framed(beside(pictures, _GAP), f"{found}   (rings: projected onto these two planes)")


def _reach_mm(candidate: Candidate) -> float:
    """Return half the side of the frame around a candidate: its radius and 4 mm."""
    return candidate.diameter_mm / 2.0 + 4.0


def _middle(layers: _Layers) -> NDArray[np.float64]:
    """Return the middle voxel index of the lungs, or of the volume."""
    if layers.lungs is None or not layers.lungs.any():
        return (np.asarray(layers.grid.shape_zyx) - 1) / 2.0
    spans = []
    for axis in range(3):
        filled = np.flatnonzero(layers.lungs.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append((filled[0] + filled[-1]) / 2.0)
    # a lung, since the plane between the lungs shows neither
    spans[2] -= 0.22 * (filled[-1] - filled[0])
    return np.array(spans)


def _whole(grid: Grid, plane: Plane, index: NDArray[np.float64]) -> View:
    extents = [size * step for size, step in zip(grid.shape_zyx, grid.spacing_zyx_mm, strict=True)]
    return View.through(index, grid, plane=plane, scale=_CHEST_PIXELS / max(extents))


def _zoom(grid: Grid, plane: Plane, index: NDArray[np.float64]) -> View:
    sides = []
    for middle, size, step in zip(index, grid.shape_zyx, grid.spacing_zyx_mm, strict=True):
        half = _ZOOM_MM / 2.0 / step
        start = int(np.clip(round(float(middle) - half), 0, max(0, size - round(2 * half))))
        sides.append(slice(start, min(size, start + round(2 * half))))
    z, y, x = sides
    return View.through(index, grid, plane=plane, scale=_ZOOM_PIXELS / _ZOOM_MM, shown_zyx=(z, y, x))


def _column(pictures: list[Image.Image]) -> Image.Image:
    turned = [picture.transpose(Image.Transpose.TRANSPOSE) for picture in pictures]
    return beside(turned, _GAP).transpose(Image.Transpose.TRANSPOSE)


def _framed(picture: Image.Image, head: str) -> Image.Image:
    """Return the picture with a line of text above, and the notice below."""
    width = max(picture.width, round(_font(14).getlength(head)) + 16)
    framed = Image.new("RGB", (width, picture.height + _HEAD + _FOOT))
    framed.paste(picture, (0, _HEAD))
    drawing = ImageDraw.Draw(framed)
    drawing.text((8, 7), head, fill=TEXT_COLOUR, font=_font(14))
    drawing.text((8, framed.height - _FOOT + 6), NOTICE, fill=TEXT_COLOUR, font=_font(12))
    return framed


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, compress_level=3)
