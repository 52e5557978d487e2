"""Progress of a download: bars in a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn

from lungpipe.download import Watch

PERCENT_A_LINE = 10


@contextmanager
def watching(console: Console | None = None, *, is_quiet: bool = False) -> Iterator[Watch]:
    """Yield the progress functions of a download: bars if the console is a terminal, else lines, nothing if quiet."""
    if is_quiet:
        yield Watch(say=lambda line: None)
        return
    console = console or Console()
    if not console.is_terminal:
        yield Watch(say=typer.echo, progress=_Lines().progress)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), SpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        yield Watch(say=lambda line: bars.console.print(line, markup=False), progress=_Bars(bars).progress)


class _Bars:
    """One bar per file, hidden when the file is complete."""

    def __init__(self, bars: Progress) -> None:
        self._bars, self._tasks, self._lock = bars, dict[str, TaskID](), Lock()

    def progress(self, name: str, done: int, total: int) -> None:
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._tasks[name], completed=done, visible=done < total)


class _Lines:
    """One line per tenth of a file."""

    def __init__(self) -> None:
        self._told, self._lock = dict[str, int](), Lock()

    def progress(self, name: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1) // PERCENT_A_LINE * PERCENT_A_LINE
        with self._lock:
            told, self._told[name] = self._told.get(name, 0), percent
            if percent > told:
                typer.echo(f"{name}: {percent} %")
