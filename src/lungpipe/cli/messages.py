"""Lines that several commands print about scans: remarks and failures."""

from collections.abc import Iterable

import typer


def say_nothing(line: str) -> None:
    """Print nothing; takes the place of a function that prints progress lines."""


def warn(remark: str) -> None:
    """Print a remark to stderr, in yellow."""
    typer.secho(f"lungpipe: {remark}", err=True, fg=typer.colors.YELLOW)


def warn_of_seen(num_seen: int, num_scans: int) -> None:
    """Say that the model learned from some of the scans, if it did."""
    if num_seen:
        warn(f"the model was trained or validated on {num_seen} of {num_scans} scans")


def name_failures(reasons: Iterable[str]) -> None:
    """Print every reason of a failure to stderr, in red."""
    for reason in reasons:
        typer.secho(f"lungpipe: {reason}", err=True, fg=typer.colors.RED)
