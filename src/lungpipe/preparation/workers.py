"""Do work on threads of this process or on a dask cluster; each item waits until the memory that it needs is free.

dask runs both: the same delayed calls go to dask's threaded scheduler or to the cluster. An item that needs more memory
than a worker has is not started. Threads have no further limit: RLIMIT_DATA would end the whole process, with the items
of all threads. The workers of a cluster are restarted one by one by their nannies, so a cluster without nannies is
refused.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import Any, Generic, TypeVar

GIB = 2**30

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerError(ValueError):
    """A dask worker without the required memory limit; the message names the worker."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Item, Result]):
    """The work on every item.

    `run` does the work. `need` returns the bytes that an item needs, given the limit, and raises ValueError or OSError
    for an item that needs more or cannot be done. `fail` makes the result of an item that was not done, from the
    reason. What `run` raises ends the work.
    """

    run: Callable[[Item], Result]
    need: Callable[[Item, int], int]
    fail: Callable[[Item, str], Result]


@dataclass(frozen=True, slots=True)
class Workers:
    """Number and memory of the workers: threads of this process, or the workers of a dask.distributed scheduler."""

    num_threads: int
    memory_bytes: int
    scheduler_address: str | None = None


def spread(
    work: Work[Item, Result], items: Sequence[Item], done: Callable[[Result], None], workers: Workers
) -> list[Result]:
    """Do `work` with every item and return the results in order; `done` is called with each result when finished.

    Without a scheduler address, threads of this process work; numerical libraries release the interpreter's lock. With
    an address, the workers of that dask.distributed scheduler do.

    Raises:
        WorkerError: a worker of the cluster has no nanny, no memory limit, or a lower limit than `workers`.
        Exception: what `run` raises.
    """
    if not items:
        return []
    compute = _compute_here if workers.scheduler_address is None else _compute_on_cluster
    return compute(_Attempt(work, workers), items, done)


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[Item, Result]):
    """Does one item in the calling thread, as soon as the item's bytes are free in that process."""

    work: Work[Item, Result]
    workers: Workers

    def __call__(self, item: Item) -> Result:
        try:
            process_bytes = self._process_bytes()
            num_bytes = self.work.need(item, min(self.workers.memory_bytes, process_bytes))
        except WorkerError:
            raise
        except (ValueError, OSError) as error:
            return self.work.fail(item, str(error))
        with _GATE.hold(num_bytes, process_bytes):
            return self.work.run(item)

    def _process_bytes(self) -> int:
        if self.workers.scheduler_address is None:
            return self.workers.num_threads * self.workers.memory_bytes
        # checked here, too: a worker may join or restart after the cluster was checked
        return _own_bytes(self.workers.memory_bytes)


def _call(attempt: _Attempt[Item, Result], item: Item) -> Any:
    """Return the delayed call of dask that does one item."""
    import dask

    return dask.delayed(attempt, pure=False, traverse=False)(dask.delayed(item, traverse=False))


def _compute_here(
    attempt: _Attempt[Item, Result], items: Sequence[Item], done: Callable[[Result], None]
) -> list[Result]:
    import dask
    from dask.callbacks import Callback

    calls = [_call(attempt, item) for item in items]
    keys = {call.key for call in calls}

    def tell(key: Any, result: Any, *_: Any) -> None:
        if key in keys:
            done(result)

    num_threads = attempt.workers.num_threads
    with Callback(posttask=tell):
        return list(dask.compute(*calls, scheduler="threads", num_workers=num_threads, optimize_graph=False))


def _compute_on_cluster(
    attempt: _Attempt[Item, Result], items: Sequence[Item], done: Callable[[Result], None]
) -> list[Result]:
    """Compute on the cluster.

    An item whose worker died is tried once more, alone, since another item may have used the memory. If the worker
    dies again, the item fails. Any other error of an item is raised.
    """
    from distributed import Client, KilledWorker, as_completed

    results: dict[int, Result] = {}
    with Client(attempt.workers.scheduler_address) as client:
        for address, found in sorted(client.scheduler_info(n_workers=-1)["workers"].items()):
            check_worker(address, found, attempt.workers.memory_bytes)
        futures = client.compute([_call(attempt, item) for item in items], optimize_graph=False)
        places = {future: place for place, future in enumerate(futures)}
        lost = []
        for future in as_completed(places):
            if isinstance(future.exception(), KilledWorker):
                lost.append(places[future])
                continue
            results[places[future]] = future.result()
            done(future.result())
        for place in sorted(lost):
            future = client.compute(_call(attempt, items[place]), optimize_graph=False)
            error = future.exception()
            is_lost = isinstance(error, KilledWorker)
            results[place] = attempt.work.fail(items[place], _describe(error)) if is_lost else future.result()
            done(results[place])
    return [results[place] for place in range(len(items))]


def _describe(error: Any) -> str:
    last = error.last_worker.address
    return f"worker lost: all that tried died, the last was {last}; beyond its memory limit a worker's nanny ends it"


def check_worker(address: str, worker: Mapping[str, Any], memory_bytes: int) -> None:
    """Check `memory_limit` (bytes) and `nanny` (address) of a dask worker.

    Raises:
        WorkerError: no limit, a limit below `memory_bytes`, or no nanny that enforces the limit.
    """
    limit_bytes = int(worker["memory_limit"] or 0)
    expected = f"{memory_bytes / GIB:.2f} GiB (preprocessing.worker_memory_gib)"
    if not worker["nanny"]:
        raise WorkerError(f"dask worker {address}: expected a nanny that ends it beyond {expected}, found none")
    if limit_bytes < memory_bytes:
        found = f"{limit_bytes / GIB:.2f} GiB" if limit_bytes else "0, which is no limit"
        raise WorkerError(f"dask worker {address}: expected a memory limit of at least {expected}, found {found}")


def _own_bytes(memory_bytes: int) -> int:
    """Return the memory (bytes) at which the nanny of this dask worker ends the worker."""
    import dask
    from distributed import get_worker

    worker = get_worker()
    limit_bytes = worker.memory_manager.memory_limit
    check_worker(worker.address, {"memory_limit": limit_bytes, "nanny": worker.nanny}, memory_bytes)
    share = dask.config.get("distributed.worker.memory.terminate")
    if not share:
        expected = "a share at which its nanny ends it"
        raise WorkerError(
            f"dask worker {worker.address}: distributed.worker.memory.terminate: expected {expected}, found {share}"
        )
    return int(share * limit_bytes)


class MemoryGate:
    """A first-in-first-out gate for memory: a thread waits until its bytes fit beside those of other threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: deque[object] = deque()
        self._held_bytes = 0

    @contextmanager
    def hold(self, num_bytes: int, capacity_bytes: int) -> Iterator[None]:
        """Reserve bytes of the process; waits until they are free.

        Raises:
            ValueError: more bytes than the process may use.
        """
        if num_bytes > capacity_bytes:
            raise ValueError(f"expected at most {capacity_bytes} bytes to hold, found {num_bytes}")
        self._enter(num_bytes, capacity_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._held_bytes -= num_bytes
                self._changed.notify_all()

    def _enter(self, num_bytes: int, capacity_bytes: int) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                # first in, first out: otherwise small scans could delay a large scan for ever
                self._changed.wait_for(
                    lambda: self._waiting[0] is ticket and self._held_bytes + num_bytes <= capacity_bytes
                )
                self._held_bytes += num_bytes
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()


_GATE = MemoryGate()
"""One memory gate per process, shared by all preparation threads."""
