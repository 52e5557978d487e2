"""Rendered pictures as files: caption and colour bar, PNG, and turntables as GIF or MP4."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lungpipe.prediction.result import NOTICE
from lungpipe.rendering.marks import malignancy_colour
from lungpipe.tables import replacing

ENDINGS = (".png", ".gif", ".mp4")
SECONDS_PER_TURN = 6.0
TEXT_COLOUR = (40, 40, 40)
_FOOT, _BAR_WIDTH, _BAR_HEIGHT = 44, 110, 10
_BAR_LINE = 20
_GIF_COLOURS = 96


class PictureError(ValueError):
    """A file that cannot be written as a picture; the message names the file."""


def check_ending(path: Path) -> None:
    """Refuse a file name that names no kind of picture, before anything is computed.

    Raises:
        PictureError: another ending than .png, .gif or .mp4; .mp4 without the package imageio-ffmpeg.
    """
    if path.suffix.lower() not in ENDINGS:
        raise PictureError(f"{path}: expected an ending of {', '.join(ENDINGS)}, found {path.name}")
    if path.suffix.lower() == ".mp4":
        _find_encoder(path)


def framed(pixels: NDArray[np.uint8], caption: str, *, has_malignancy: bool) -> NDArray[np.uint8]:
    """Return a picture (rows, columns, 3) with two lines of text below, and a third with the colours of malignancy."""
    height, width, _ = pixels.shape
    foot = _FOOT + (_BAR_LINE if has_malignancy else 0)
    # an even number of rows and columns, as video needs
    picture = Image.new("RGB", (width + width % 2, height + foot + height % 2), "white")
    picture.paste(Image.fromarray(pixels), (0, 0))
    drawing = ImageDraw.Draw(picture)
    drawing.text((8, height + 4), caption, fill=TEXT_COLOUR, font=_font(13))
    drawing.text((8, height + 23), NOTICE, fill=TEXT_COLOUR, font=_font(12))
    if has_malignancy:
        _draw_bar(picture, left=8, top=height + _FOOT + 4)
    return np.asarray(picture)


def write_picture(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write one picture (rows, columns, 3) as PNG, whole."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", optimize=True)


def write_turntable(frames: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Write the frames of one full turn as GIF (repeated for ever) or MP4 (H.264), whole; a turn takes 6 seconds.

    Raises:
        PictureError: another ending; .mp4 without the package imageio-ffmpeg.
    """
    check_ending(path)
    if path.suffix.lower() == ".mp4":
        _write_mp4(frames, path)
        return
    # one palette for all frames: colours do not flicker, and still regions cost nothing
    strip = Image.fromarray(np.concatenate(frames[:: max(1, len(frames) // 6)], axis=1))
    palette = strip.quantize(_GIF_COLOURS)
    first, *others = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    with replacing(path) as temporary:
        duration_ms = round(1000.0 * SECONDS_PER_TURN / len(frames))
        first.save(
            temporary, format="GIF", save_all=True, append_images=others, duration=duration_ms, loop=0, optimize=True
        )


def _write_mp4(frames: Sequence[NDArray[np.uint8]], path: Path) -> None:
    imageio_ffmpeg = _find_encoder(path)
    height, width, _ = frames[0].shape
    with replacing(path) as temporary:
        writer = imageio_ffmpeg.write_frames(  # type: ignore[attr-defined]
            str(temporary),
            (width, height),
            fps=len(frames) / SECONDS_PER_TURN,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-movflags", "+faststart", "-fflags", "+bitexact", "-threads", "1"],
        )
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()


def _find_encoder(path: Path) -> object:
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        expected = "expected the package imageio-ffmpeg of the extra viz for MP4 (pip install -e '.[viz]')"
        raise PictureError(f"{path}: {expected}, found none; a GIF needs no encoder") from None
    module: object = imageio_ffmpeg
    return module


def _draw_bar(picture: Image.Image, *, left: int, top: int) -> None:
    drawing = ImageDraw.Draw(picture)
    start = left + 80
    for column in range(_BAR_WIDTH):
        red, green, blue = (round(255 * part) for part in malignancy_colour(column / (_BAR_WIDTH - 1)))
        drawing.line((start + column, top, start + column, top + _BAR_HEIGHT), fill=(red, green, blue))
    font, middle = _font(12), top + _BAR_HEIGHT / 2
    drawing.text((left, middle), "malignancy 0", fill=TEXT_COLOUR, font=font, anchor="lm")
    drawing.text((start + _BAR_WIDTH + 5, middle), "1", fill=TEXT_COLOUR, font=font, anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
