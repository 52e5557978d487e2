"""The command `lungpipe`: every module of this folder adds its commands with `register(app)`.

These modules import rooms inside their commands, so that `lungpipe --help` starts fast and a command imports only
what that command uses.
"""

from typing import Annotated

import typer

from lungpipe import __version__
from lungpipe.cli import (
    bundle,
    convert,
    detect,
    evaluate,
    explain,
    fetch,
    phantom,
    predict,
    prepare,
    ratings,
    render,
    score,
    view,
)

app = typer.Typer(
    name="lungpipe",
    help="Lung nodules in CT: find nodules, prepare scans, download LUNA16, evaluate submissions by official rules.",
    epilog="Exit codes: 0 done, 1 unexpected error or scans that failed, 2 bad input or wrong command line, "
    "3 a scan that must not be judged, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluate.register(app)
convert.register(app)
prepare.register(app)
predict.register(app)
detect.register(app)
score.register(app)
explain.register(app)
render.register(app)
view.register(app)
phantom.register(app)
ratings.register(app)
fetch.register(app)
bundle.register(app)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"lungpipe {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Lung nodules in CT: find nodules, prepare scans, download LUNA16, evaluate submissions by official rules."""
