"""Wall time of each stage of a prediction, and the memory that the process needed."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """Times stages; calls `on_stage` with the name of each stage when it begins."""

    def __init__(self, on_stage: Callable[[str], None] | None = None) -> None:
        """Start with no stages."""
        self.times_s: dict[str, float] = {}
        self._on_stage = on_stage

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of this block, seconds, to the stage `name`."""
        if self._on_stage is not None:
            self._on_stage(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.times_s[name] = round(self.times_s.get(name, 0.0) + spent, 3)


def peak_memory_mib() -> float:
    """Return the largest memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024.0 if sys.platform != "darwin" else 1024.0**2), 1)
