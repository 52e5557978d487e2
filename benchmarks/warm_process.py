"""A chain in a process of its own that stays warm between rounds."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from peers import Chain


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds of one run, what it wrote, and the peak memory of its process so far."""

    seconds: float
    written_mib: float
    peak_mib: float


class WarmProcess:
    """Runs one chain again and again; start-up and imports are over before the first run is timed."""

    def __init__(self, name: str, make: Callable[[], Chain]) -> None:
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, source: Path, folder: Path) -> Measurement:
        """Run the chain on a source into a new folder; raises RuntimeError if its process ends instead."""
        folder.mkdir()
        self._ours.send((source, folder))
        try:
            return self._ours.recv()
        except EOFError:
            raise RuntimeError(f"{self._name}: expected a result of {source}, found a process that ended") from None

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self._process.join()


def _serve(make: Callable[[], Chain], connection: Connection) -> None:
    chain = make()
    while True:
        try:
            source, folder = connection.recv()
        except EOFError:
            return
        began = time.perf_counter()
        chain(source, folder)
        seconds = time.perf_counter() - began
        written = sum(item.stat().st_size for item in folder.rglob("*") if item.is_file())
        connection.send(Measurement(seconds, written / 2**20, _peak_mib()))


def _peak_mib() -> float:
    # not getrusage: a process that was spawned inherits its parent's peak there
    lines = Path("/proc/self/status").read_text().splitlines()
    [kib] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kib) / 1024
