"""The command `lungpipe`: every module of this folder brings its commands with `register(app)`.

Those modules import their rooms inside the commands, so that `lungpipe --help` stays fast and a command pays for what
it uses alone.
"""

import typer

from lungpipe.cli import evaluate, fetch, phantom, prepare, ratings

app = typer.Typer(
    name="lungpipe",
    help="LUNA16 lung nodules: from raw CT to an officially judged, tracked study.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate.register(app)
prepare.register(app)
phantom.register(app)
ratings.register(app)
fetch.register(app)
