"""Bad input ends a command with exit code 2 and one message, without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds, and files that cannot be read or written, into one message and exit code 2."""
    refused: tuple[type[Exception], ...] = (*kinds, OSError)
    try:
        yield
    except refused as error:
        typer.secho(f"lungpipe: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from None
