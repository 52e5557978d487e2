"""Spread jobs over cores or over a dask cluster; memory is bounded by the number of workers, one scan in each."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def spread(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    done: Callable[[Result], None],
    *,
    num_workers: int,
    scheduler_address: str | None,
    lost: Callable[[Job, str], Result],
) -> list[Result]:
    """Run `function` on every job and return the results in order; `done` hears of each as it comes.

    Without an address, `num_workers` threads of this process work (the numerical libraries leave the interpreter's
    lock); with one, the workers of that dask.distributed scheduler. `lost` makes the result of a job whose worker
    died.
    """
    if not jobs:
        return []
    if scheduler_address is not None:
        return _spread_over_cluster(function, jobs, done, scheduler_address=scheduler_address, lost=lost)
    import dask
    from dask.callbacks import Callback

    tasks = [dask.delayed(function, pure=False, traverse=False)(dask.delayed(job, traverse=False)) for job in jobs]
    keys = {task.key for task in tasks}

    def hear(key: Any, result: Any, *_: Any) -> None:
        if key in keys:
            done(result)

    with Callback(posttask=hear):
        return list(dask.compute(*tasks, scheduler="threads", num_workers=num_workers, optimize_graph=False))


def _spread_over_cluster(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    done: Callable[[Result], None],
    *,
    scheduler_address: str,
    lost: Callable[[Job, str], Result],
) -> list[Result]:
    from distributed import Client, as_completed

    results: dict[Any, Result] = {}
    with Client(scheduler_address) as client:
        futures = client.map(function, jobs, pure=False)
        by_key = {future.key: job for future, job in zip(futures, jobs, strict=True)}
        for future in as_completed(futures):
            error = future.exception()
            result = future.result() if error is None else lost(by_key[future.key], f"worker lost: {error}")
            results[future.key] = result
            done(result)
        return [results[future.key] for future in futures]
