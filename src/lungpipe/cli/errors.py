"""End a command on bad input with one message and exit code 2, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Catch the given errors and OSError, print one line, and exit with code 2.

    JSON that is nested too deeply, in a file or folder that the command line names, is refused the same way.
    """
    refused: tuple[type[Exception], ...] = (*kinds, OSError)
    try:
        yield
    except refused as error:
        raise _end(str(error)) from None
    except RecursionError:
        from lungpipe.tables.nesting import describe_deep_json

        deep = describe_deep_json(Path(argument) for argument in sys.argv[1:])
        if deep is None:
            raise
        raise _end(deep) from None


def _end(message: str) -> typer.Exit:
    typer.secho(f"lungpipe: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)
