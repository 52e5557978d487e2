"""`lungpipe view`: a scan with its candidates in a browser."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import warn


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("view")(view)


def view(
    source: options.Scan,
    *,
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="CSV: seriesuid,coordX,coordY,coordZ (world mm, LPS), optionally probability, diameter_mm, malignancy."
        ),
    ] = None,
    prediction: Annotated[
        Path | None, typer.Option(help="Folder of `lungpipe predict`: its candidates and masks are shown.")
    ] = None,
    nodules: Annotated[
        Path | None, typer.Option(help="Mask of nodules (NIfTI or MetaImage), labelled with the candidates' numbers.")
    ] = None,
    lungs: Annotated[
        Path | None, typer.Option(help="Mask of the lungs (NIfTI or MetaImage); else found, or read from the store.")
    ] = None,
    no_lungs: Annotated[bool, typer.Option("--no-lungs", help="Show no lungs.")] = False,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Score from which candidates are shown at first.")
    ] = 0.5,
    series: options.Series = None,
    out: Annotated[Path | None, typer.Option(help="Write an HTML file that opens offline; do not serve.")] = None,
    force: options.Force = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port at 127.0.0.1; 0: a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show a scan in three planes with lungs, masks and candidates. Research use only, not a medical device.

    Without --out the page is served on this machine alone until Ctrl-C. The page names no patient.
    """
    if out is not None:
        options.refuse_existing(out, is_forced=force)

    from lungpipe.viewer.open import Shown, open_scene
    from lungpipe.viewer.page import write_page

    with refusing(ValueError), tempfile.TemporaryDirectory() as scratch:
        shown = Shown(candidates, lungs, nodules, not no_lungs, threshold, series)
        if prediction is not None:
            shown = shown.with_prediction(prediction)
        page = out or Path(scratch) / "viewer.html"
        write_page(open_scene(source, shown, on_remark=warn), page, threads=options.count_threads(None))
        if out is not None:
            typer.echo(f"{out}: {out.stat().st_size / 1e6:.0f} MB; open the file in a browser")
        else:
            _serve(page, port, is_opened=browser)


def _serve(page: Path, port: int, *, is_opened: bool) -> None:
    import webbrowser

    from lungpipe.viewer.serve import PageServer

    with PageServer(page, port) as server:
        typer.echo(f"{server.url}\nCtrl-C stops.")
        if is_opened:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("stopped")
