"""Spread jobs over cores or over a dask cluster; each job waits until the memory that it needs is free.

A job that needs more than a worker has is not begun. That is all there is to hold the threads of one process back: a
limit on the process itself (RLIMIT_DATA) would turn some of what goes beyond it into an error of that job, but the
codecs end the process, with the jobs of the other threads, when they are refused memory. A cluster's workers are ended
one by one by their nannies, so that no other worker suffers: without these, a cluster is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lungpipe.preparation.memory import GIB, MemoryGate

Job = TypeVar("Job")
Result = TypeVar("Result")

_GATE = MemoryGate()
"""One for each process: all threads that prepare scans in it share its memory."""


class WorkerError(ValueError):
    """A cluster's worker whose memory is not limited as it must be; the message names it."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Job, Result]):
    """What is done with every job.

    `run` does it. `need` returns the bytes that it takes, given the most that it may take, and raises ValueError or
    OSError for a job that cannot be done with so much, or at all. `fail` makes the result of a job that was not done,
    from the reason.
    """

    run: Callable[[Job], Result]
    need: Callable[[Job, int], int]
    fail: Callable[[Job, str], Result]


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works, and the memory that each of them has: threads of this process, or a dask.distributed scheduler's."""

    num_threads: int
    memory_bytes: int
    scheduler_address: str | None = None


def spread(
    task: Task[Job, Result], jobs: Sequence[Job], done: Callable[[Result], None], workers: Workers
) -> list[Result]:
    """Do `task` with every job and return the results in order; `done` hears of each as it comes.

    Without an address, threads of this process work (the numerical libraries leave the interpreter's lock); with one,
    the workers of that dask.distributed scheduler. A job whose worker died is tried once more, alone, since the worker
    may have died of another job; if it dies again, the job has failed.

    Raises:
        WorkerError: a worker of the cluster has no memory limit, a lower one than `workers`, or no nanny to keep it.
    """
    if not jobs:
        return []
    if workers.scheduler_address is not None:
        return _spread_over_cluster(task, jobs, done, workers)
    import dask
    from dask.callbacks import Callback

    function = _Thread(task, workers.memory_bytes, workers.num_threads * workers.memory_bytes)
    tasks = [dask.delayed(function, pure=False, traverse=False)(dask.delayed(job, traverse=False)) for job in jobs]
    keys = {task.key for task in tasks}

    def hear(key: Any, result: Any, *_: Any) -> None:
        if key in keys:
            done(result)

    with Callback(posttask=hear):
        return list(dask.compute(*tasks, scheduler="threads", num_workers=workers.num_threads, optimize_graph=False))


@dataclass(frozen=True, slots=True)
class _Thread(Generic[Job, Result]):
    """Does one job in a thread of this process, which may hold `process_bytes` in all, and `job_bytes` for a job."""

    task: Task[Job, Result]
    job_bytes: int
    process_bytes: int

    def __call__(self, job: Job) -> Result:
        try:
            num_bytes = self.task.need(job, min(self.job_bytes, self.process_bytes))
        except (ValueError, OSError) as error:
            return self.task.fail(job, str(error))
        with _GATE.hold(num_bytes, self.process_bytes):
            return self.task.run(job)


@dataclass(frozen=True, slots=True)
class _ClusterThread(Generic[Job, Result]):
    """Does one job in a thread of a cluster's worker, within that worker's own limit."""

    task: Task[Job, Result]
    memory_bytes: int

    def __call__(self, job: Job) -> Result:
        try:
            # here, too: a worker may join, or start anew, after the cluster was looked at
            process_bytes = _own_bytes(self.memory_bytes)
        except WorkerError as error:
            return self.task.fail(job, str(error))
        return _Thread(self.task, self.memory_bytes, process_bytes)(job)


def _spread_over_cluster(
    task: Task[Job, Result], jobs: Sequence[Job], done: Callable[[Result], None], workers: Workers
) -> list[Result]:
    from distributed import Client, as_completed

    results: dict[int, Result] = {}
    function = _ClusterThread(task, workers.memory_bytes)
    with Client(workers.scheduler_address) as client:
        for address, found in sorted(client.scheduler_info(n_workers=-1)["workers"].items()):
            check_worker(address, found, workers.memory_bytes)
        places = {future: place for place, future in enumerate(client.map(function, jobs, pure=False))}
        lost = []
        for future in as_completed(places):
            place = places[future]
            if future.exception() is not None:
                lost.append(place)
                continue
            results[place] = future.result()
            done(results[place])
        for place in sorted(lost):
            future = client.submit(function, jobs[place], pure=False)
            error = future.exception()
            results[place] = task.fail(jobs[place], _describe(error)) if error else future.result()
            done(results[place])
    return [results[place] for place in range(len(jobs))]


def _describe(error: BaseException) -> str:
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return f"worker lost: {error}"
    last = error.last_worker.address
    return f"worker lost: all that tried died, the last was {last}; beyond its memory limit a worker's nanny ends it"


def check_worker(address: str, worker: Mapping[str, Any], memory_bytes: int) -> None:
    """Check `memory_limit` (bytes) and `nanny` (address) of a dask worker.

    Raises:
        WorkerError: no limit, a lower one than `memory_bytes`, or no nanny that ends the worker when it goes beyond.
    """
    limit_bytes = int(worker["memory_limit"] or 0)
    expected = f"{memory_bytes / GIB:.2f} GiB (preprocessing.worker_memory_gib)"
    if not worker["nanny"]:
        raise WorkerError(f"dask worker {address}: expected a nanny that ends it beyond {expected}, found none")
    if limit_bytes < memory_bytes:
        found = f"{limit_bytes / GIB:.2f} GiB" if limit_bytes else "0, which is no limit"
        raise WorkerError(f"dask worker {address}: expected a memory limit of at least {expected}, found {found}")


def _own_bytes(memory_bytes: int) -> int:
    """Return how far this dask worker may grow before its nanny ends it."""
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
