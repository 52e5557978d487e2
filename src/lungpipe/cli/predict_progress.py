"""What `lungpipe predict` shows: progress in a terminal or as plain lines, remarks, results as text or JSON."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from lungpipe.delivery.many import Outcome
    from lungpipe.prediction.document import Refusal, Result


class Reporter:
    """Shows progress and remarks on stderr, results on stdout.

    `is_quiet`: no progress, no remarks, no summary. `as_json`: results as JSON, one line each, and no summary.
    """

    def __init__(self, *, is_quiet: bool, as_json: bool) -> None:
        """Show nothing yet."""
        self._is_quiet, self._as_json = is_quiet, as_json
        self._bar = None if is_quiet or not sys.stderr.isatty() else _Bar()
        self._head = ""

    @contextmanager
    def watching(self, total: int | None = None) -> Iterator[None]:
        """Show a bar while this block runs, in a terminal; `total` is the number of scans, None for one scan."""
        if self._bar is None:
            yield
            return
        with self._bar.watching(total):
            yield

    def stage(self, name: str) -> None:
        """Show that a stage of a scan begins."""
        if self._bar is not None:
            self._bar.describe(name)
        elif not self._is_quiet:
            typer.echo(f"lungpipe: {name}", err=True)

    def advance(self, number: int, total: int, outcome: "Outcome") -> None:
        """Show the outcome of scan `number` of `total`; names of scans are not shown."""
        if self._as_json:
            typer.echo(outcome.document.model_dump_json())
        if self._is_quiet:
            return
        head = f"{number} of {total}, {outcome.scan.out_name}"
        if outcome.document.status == "refused":
            text = f"{head}: {outcome.document.reason}: {outcome.document.message}"
        else:
            count = len(outcome.document.candidates)
            text = f"{head}: {count} candidates{', kept from an earlier call' if outcome.is_kept else ''}"
        if self._bar is not None:
            self._bar.advance(text)
        else:
            typer.echo(f"lungpipe: {text}", err=True)

    def remark(self, text: str) -> None:
        """Show a remark for the user."""
        if not self._is_quiet:
            typer.secho(f"lungpipe: {text}", err=True, fg=typer.colors.YELLOW)

    def show(self, result: "Result", out: "Path") -> None:
        """Show the result of one scan."""
        if self._as_json:
            typer.echo(result.model_dump_json())
        elif not self._is_quiet:
            typer.echo("\n".join(summary(result, out)))

    def refuse(self, refusal: "Refusal", message: str) -> None:
        """Show that a scan was refused, even if quiet."""
        if self._as_json:
            typer.echo(refusal.model_dump_json())
        typer.secho(f"lungpipe: {message}", err=True, fg=typer.colors.RED)

    def end(self, text: str) -> None:
        """Show the last line about many scans."""
        if not self._is_quiet and not self._as_json:
            typer.echo(text)


def summary(result: "Result", out: "Path") -> list[str]:
    """Return the lines about one scan: how many candidates, a row for each, and the notice."""
    count = len(result.candidates)
    lines = [f"{out}: {count} candidate{'' if count == 1 else 's'} of probability {result.threshold:g} or more"]
    if count:
        lines.append(f"{'number':>6} {'probability':>11} {'malignancy':>10} {'mm':>6} {'mm3':>7} {'slice':>5} side")
    for one in result.candidates:
        malignancy = "-" if one.malignancy is None else f"{one.malignancy:.2f}"
        lines.append(
            f"{one.number:>6} {one.probability:>11.2f} {malignancy:>10} {one.diameter_mm:>6.1f} {one.volume_mm3:>7.0f} "
            f"{one.slice_number:>5} {one.side or '-'}"
        )
    return [*lines, result.notice]


class _Bar:
    """A bar in a terminal, which vanishes at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
        from rich.progress import TimeElapsedColumn as ElapsedColumn
        from rich.progress import TimeRemainingColumn as RemainingColumn

        words, text = TextColumn("{task.description}"), SpinnerColumn()
        columns = (text, words, BarColumn(), MofNCompleteColumn(), ElapsedColumn(), RemainingColumn())
        self._one = Progress(text, words, ElapsedColumn(), console=Console(stderr=True), transient=True)
        self._many = Progress(*columns, console=Console(stderr=True), transient=True)
        self._progress = self._one

    @contextmanager
    def watching(self, total: int | None) -> Iterator[None]:
        self._progress = self._one if total is None else self._many
        with self._progress:
            self._progress.add_task("", total=total)
            yield

    def describe(self, name: str) -> None:
        if self._progress.task_ids:
            self._progress.update(self._progress.task_ids[0], description=name)

    def advance(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)
        self._progress.advance(self._progress.task_ids[0])
