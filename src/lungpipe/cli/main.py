"""The command `lungpipe`: every module of this folder adds its commands with `register(app)`.

These modules import rooms inside their commands, so that `lungpipe --help` starts fast and a command imports only
what that command uses.
"""

import inspect
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
    "3 a scan that was refused, 130 interrupted.",
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


def _join_lines(text: str) -> str:
    """Return a docstring with a line for each paragraph: the help then breaks lines where the terminal ends."""
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in inspect.cleandoc(text).split("\n\n"))


for command in app.registered_commands:
    command.help = _join_lines(command.help or getattr(command.callback, "__doc__", None) or "")


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
