"""The command `lungpipe`: every module of this folder brings its commands with `register(app)`.

Those modules import their rooms inside the commands, so that `lungpipe --help` stays fast and a command pays for what
it uses alone.
"""

import typer

from lungpipe.cli import evaluate, prepare

app = typer.Typer(
    name="lungpipe",
    help="LUNA16 lung nodules: from raw CT to an officially judged, tracked study.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate.register(app)
prepare.register(app)
