"""Callbacks of a download, and its stop signal."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from lungpipe.download.connection import FetchError


def _quiet(_name: str, _done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks of a download; both are called from several threads.

    `say` takes one line; `progress` takes a file's name, its bytes so far (fewer than before where it starts again)
    and its bytes in all. Once `stop` is set, every transfer ends at its next block, ready to be resumed.
    """

    say: Callable[[str], None] = logging.getLogger(__name__).info
    progress: Callable[[str, int, int], None] = _quiet
    stop: Event = field(default_factory=Event)

    def raise_if_stopped(self) -> None:
        """Raise FetchError once `stop` is set."""
        if self.stop.is_set():
            raise FetchError("stopped; the same command goes on from here")
