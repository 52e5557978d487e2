import threading
import time

import pytest

from lungpipe.preparation.workers import MemoryGate, Work, WorkerError, Workers, check_worker, spread

MB = 10**6


def run(function, jobs, workers, heard=None, need=lambda job, limit: 0, memory_bytes=100):
    task = Work(function, need, lambda job, reason: f"{job} failed: {reason}")
    return spread(task, jobs, (heard if heard is not None else []).append, Workers(workers, memory_bytes))


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_the_order_of_the_jobs_and_each_is_heard(workers):
    heard = []
    assert run(lambda n: n * n, list(range(10)), workers, heard) == [n * n for n in range(10)]
    assert sorted(heard) == [n * n for n in range(10)]


def test_no_jobs_need_no_workers():
    assert run(lambda n: n, [], 4) == []


class Together:
    """Counts the weight of the jobs that run at a time, and the most of it."""

    def __init__(self):
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def __call__(self, weight):
        with self.lock:
            self.now += weight
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= weight


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_jobs_at_a_time_than_workers(workers):
    together = Together()
    run(together, [1] * 8, workers)
    assert together.most == workers


def test_equal_jobs_are_run_each():
    calls = []
    run(calls.append, ["a", "a", "a"], 2)
    assert calls == ["a", "a", "a"]


def test_a_job_that_needs_too_much_fails_without_running_and_the_others_finish():
    def need(job, limit):
        if job > limit:
            raise ValueError(f"expected at most {limit}, found {job}")
        return job

    ran, heard = [], []
    assert run(ran.append, [100, 101, 7], 2, heard, need) == [None, "101 failed: expected at most 100, found 101", None]
    assert sorted(ran) == [7, 100]
    assert len(heard) == 3


def test_what_jobs_need_together_is_never_more_than_all_workers_have():
    together = Together()
    # by its own, each job claims more than its worker has: only two of the three threads can work at a time
    run(together, [140] * 6, 3, need=lambda weight, limit: weight)
    assert together.most == 280


def enter(gate, num_bytes, capacity_bytes, entered, name):
    """Hold bytes in a thread of its own until the returned event is set."""
    leave = threading.Event()

    def hold():
        with gate.hold(num_bytes, capacity_bytes):
            entered.append(name)
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    return leave, thread


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


def test_the_gate_lets_in_what_fits_and_keeps_the_order():
    gate, entered = MemoryGate(), []
    first = enter(gate, 60, 100, entered, "first")
    wait_for(lambda: entered == ["first"])
    large = enter(gate, 50, 100, entered, "large")
    wait_for(lambda: len(gate._waiting) == 1)
    # would fit at once, but would keep the large one waiting
    small = enter(gate, 30, 100, entered, "small")
    wait_for(lambda: len(gate._waiting) == 2)
    assert entered == ["first"]
    first[0].set()
    wait_for(lambda: entered == ["first", "large", "small"])
    for leave, _ in (large, small):
        leave.set()
    for _, thread in (first, large, small):
        thread.join(10)
    assert gate._held_bytes == 0


def test_the_gate_opens_after_an_error():
    gate = MemoryGate()
    with pytest.raises(KeyError), gate.hold(100, 100):
        raise KeyError("a")
    with gate.hold(100, 100):
        pass


def test_the_gate_refuses_what_would_never_fit():
    with pytest.raises(ValueError, match="expected at most 100 bytes to hold, found 101"), MemoryGate().hold(101, 100):
        pass


def worker(memory_limit, nanny="tcp://10.0.0.1:7"):
    return {"memory_limit": memory_limit, "nanny": nanny}


def test_a_limited_worker_with_a_nanny_passes():
    check_worker("tcp://10.0.0.1:8", worker(4 * 2**30), 4 * 2**30)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            worker(4 * 2**30 - 2**28),
            r"limit of at least 4\.00 GiB \(preprocessing\.worker_memory_gib\), found 3\.75 GiB",
        ),
        (worker(0), "found 0, which is no limit"),
        (worker(None), "found 0, which is no limit"),
        (worker(8 * 2**30, None), r"expected a nanny that ends it beyond 4\.00 GiB .*, found none"),
    ],
)
def test_a_worker_whose_memory_is_not_limited_is_refused_by_name(found, message):
    with pytest.raises(WorkerError, match=message) as caught:
        check_worker("tcp://10.0.0.1:8", found, 4 * 2**30)
    assert str(caught.value).startswith("dask worker tcp://10.0.0.1:8: expected")


@pytest.fixture
def cluster():
    """Start real workers with nannies; a job is given up after the first worker that it kills."""
    import dask
    from distributed import LocalCluster

    clusters = []

    def start(config=None, **options):
        options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50, **options}
        with dask.config.set({"distributed.scheduler.allowed-failures": 0, **(config or {})}):
            clusters.append(LocalCluster(**options))
        return clusters[-1].scheduler_address

    yield start
    for started in clusters:
        started.close()


def test_a_worker_without_a_nanny_is_refused_before_any_job(cluster, tmp_path):
    address = cluster(processes=False, memory_limit="900MB")
    task = Work(lambda job: (tmp_path / job).touch(), lambda job, limit: 0, lambda job, reason: reason)
    with pytest.raises(WorkerError, match=r"inproc://.*expected a nanny"):
        spread(task, ["a"], [].append, Workers(1, 500 * MB, address))
    assert not list(tmp_path.iterdir())


# the functions lie in the tests: workers are processes that do not know this module
def test_a_job_that_outgrows_its_worker_is_lost_and_the_others_finish(cluster):
    def grow(job):
        import numpy as np

        held = []
        for _ in range(60 if job == "hungry" else 1):
            held.append(np.ones(25 * 10**6, dtype=np.uint8))
            time.sleep(0.02)
        return f"{job} done"

    def need(job, limit):
        if job == "large":
            raise ValueError(f"too large for {limit // MB} MB")
        return 100 * MB

    heard = []
    # one worker: whatever waits there is lost with it, and must be tried again
    workers = Workers(1, 700 * MB, cluster(memory_limit="800MB"))
    task = Work(grow, need, lambda job, reason: f"{job} failed: {reason}")
    results = spread(task, ["a", "hungry", "b", "large", "c"], heard.append, workers)
    assert results[0::2] == ["a done", "b done", "c done"]
    assert results[1].startswith("hungry failed: worker lost: all that tried died, the last was tcp://127.0.0.1:")
    assert results[3] == "large failed: too large for 700 MB"
    assert sorted(heard) == sorted(results)


@pytest.mark.slow
def test_the_threads_of_one_worker_share_its_limit(cluster):
    def stay(job):
        began = time.time()
        time.sleep(0.3)
        return began, time.time()

    # up to 95 % of 1 GB, so that two of three threads work at a time
    workers = Workers(1, 450 * MB, cluster(memory_limit="1GB", threads_per_worker=3))
    task = Work(stay, lambda job, limit: limit, lambda job, reason: pytest.fail(reason))
    spans = spread(task, list(range(6)), [].append, workers)
    most = max(sum(began <= moment < ended for began, ended in spans) for moment, _ in spans)
    assert most == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [({"memory_limit": 0}, "found 0, which is no limit"), ({"memory_limit": "600MB"}, r"found 0\.56 GiB")],
)
def test_a_cluster_without_sufficient_limits_is_refused(cluster, options, message):
    task = Work(str, lambda job, limit: 0, lambda job, reason: reason)
    with pytest.raises(WorkerError, match=message):
        spread(task, [1], [].append, Workers(1, 700 * MB, cluster(**options)))


@pytest.mark.slow
def test_a_nanny_that_ends_no_worker_is_no_limit(cluster):
    task = Work(str, lambda job, limit: 0, lambda job, reason: reason)
    address = cluster({"distributed.worker.memory.terminate": False}, memory_limit="800MB")
    expected = "distributed.worker.memory.terminate: expected a share at which its nanny ends it, found False"
    with pytest.raises(WorkerError, match=expected):
        spread(task, [1], [].append, Workers(1, 700 * MB, address))
