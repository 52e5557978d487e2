import threading
import time

import pytest

from lungpipe.volumes.spread import spread


def run(function, jobs, workers, heard=None):
    done = (heard if heard is not None else []).append
    return spread(function, jobs, done, num_workers=workers, scheduler_address=None, lost=lambda job, why: why)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_the_order_of_the_jobs_and_each_is_heard(workers):
    heard = []
    assert run(lambda n: n * n, list(range(10)), workers, heard) == [n * n for n in range(10)]
    assert sorted(heard) == [n * n for n in range(10)]


def test_no_jobs_need_no_workers():
    assert run(lambda n: n, [], 4) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_jobs_at_a_time_than_workers(workers):
    running, most, lock = [0], [0], threading.Lock()

    def job(_):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    run(job, list(range(8)), workers)
    assert most[0] == workers


def test_equal_jobs_are_run_each():
    calls = []
    run(calls.append, ["a", "a", "a"], 2)
    assert calls == ["a", "a", "a"]
