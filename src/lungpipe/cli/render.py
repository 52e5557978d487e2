"""`lungpipe render`: the lungs of a scan and its nodules as a volume rendering."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import say_nothing, warn

if TYPE_CHECKING:
    from lungpipe.rendering.chest import Chest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("render")(render)


def render(
    source: options.Scan,
    *,
    out: Annotated[Path, typer.Option(help="A picture (.png), or a full turn (.gif, .mp4).")],
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="CSV of nodules: seriesuid,coordX,coordY,coordZ (world mm, LPS), optionally diameter_mm, probability "
            "and malignancy, such as the output of predict or score."
        ),
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Drop candidates of a lower probability.")] = 0.5,
    transfer: Annotated[
        Literal["linear", "gradient", "otsu"],
        typer.Option(help="Opacity linear in HU, by HU and its gradient, or a step at Otsu's threshold."),
    ] = "linear",
    histogram: Annotated[
        Path | None, typer.Option(help="Also draw the histogram of HU and the transfer function (.png).")
    ] = None,
    size: Annotated[int, typer.Option(min=64, max=4096, help="Side of the picture, pixels.")] = 640,
    frames: Annotated[int, typer.Option(min=2, max=720, help="Frames of a full turn.")] = 48,
    angle: Annotated[float, typer.Option(help="Degrees from the front towards the patient's left.")] = 20.0,
    whole_volume: Annotated[
        bool, typer.Option("--whole-volume", help="Show everything, not only the lungs; for cropped scans.")
    ] = False,
    threads: options.Threads = None,
    series: options.Series = None,
    quiet: options.Quiet = False,
    force: options.Force = False,
) -> None:
    """Draw lungs and nodules in three dimensions. Needs the extra viz.

    Nodules are spheres of their diameter. Their colour is the malignancy: blue 0, yellow 1/2, red 1, grey unknown.
    """
    for name, path in (("--out", out), ("--histogram", histogram)):
        if path is not None:
            options.refuse_existing(path, is_forced=force, option=name)
    with refusing(ValueError, ModuleNotFoundError):
        from lungpipe.rendering.histogram import draw_histogram
        from lungpipe.rendering.marks import read_marks
        from lungpipe.rendering.pictures import check_ending
        from lungpipe.rendering.render import View, describe
        from lungpipe.rendering.render import render as draw
        from lungpipe.rendering.transfer import make_transfer

        check_ending(out)
        chest = _open(source, series, is_whole=whole_volume, threads=threads)
        marks = () if candidates is None else read_marks(candidates, chest.series_uid, threshold=threshold)
        function = make_transfer(transfer, chest.hu)
        if histogram is not None:
            draw_histogram(chest.hu, function, histogram)
        say = say_nothing if quiet else typer.echo
        draw(chest, function, out, marks=marks, view=View(size, frames, angle), say=say)
    say(f"{out}: {describe(function, len(marks))}")


def _open(source: Path, series: str | None, *, is_whole: bool, threads: int | None) -> "Chest":
    from lungpipe.rendering.chest import open_chest

    return open_chest(source, series, is_whole=is_whole, threads=options.count_threads(threads), on_remark=warn)
