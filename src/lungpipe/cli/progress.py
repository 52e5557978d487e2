"""Progress of a command: a bar with the time left in a terminal, plain lines elsewhere, nothing if quiet."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lungpipe.time_left import SHORTEST_SECONDS, SPEED_PERIOD_S, time_left


class Watch:
    """Shows nothing; its subclasses show a bar or lines."""

    def show(self, name: str, num_done: int, num_parts: int) -> None:
        """Show that `num_done` of `num_parts` parts are done, and the name of the part in work or of all parts."""


@contextmanager
def watching(*, is_quiet: bool) -> Iterator[Watch]:
    """Yield where a command shows its progress, on stderr: a bar in a terminal, else lines, nothing if quiet."""
    if is_quiet:
        yield Watch()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        with _bar() as bar:
            yield bar


class _Lines(Watch):
    """A line every two seconds at most: a command that takes less shows none."""

    def __init__(self) -> None:
        self._start = self._shown = time.monotonic()

    def show(self, name: str, num_done: int, num_parts: int) -> None:
        now = time.monotonic()
        if now - self._shown < SHORTEST_SECONDS or num_done == num_parts:
            return
        self._shown = now
        left = time_left(now - self._start, num_done, num_parts) if num_done else ""
        typer.echo(f"lungpipe: {name}, {num_done} of {num_parts} done{left}", err=True)


@contextmanager
def _bar() -> "Iterator[Watch]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console, period = Console(stderr=True), SPEED_PERIOD_S
    with Progress(*columns, console=console, transient=True, speed_estimate_period=period) as progress:
        task = progress.add_task("", total=None)

        class Bar(Watch):
            """The one bar of a command, which vanishes at its end."""

            def show(self, name: str, num_done: int, num_parts: int) -> None:
                progress.update(task, description=name, completed=num_done, total=num_parts)

        yield Bar()
