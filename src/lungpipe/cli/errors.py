"""End a command on bad input with one message and exit code 2, without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Catch the given errors and OSError, print one line, and exit with code 2."""
    refused: tuple[type[Exception], ...] = (*kinds, OSError)
    try:
        yield
    except refused as error:
        typer.secho(f"lungpipe: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None
