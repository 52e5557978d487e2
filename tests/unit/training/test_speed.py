"""Samples per second, waiting, memory and utilisation of an interval."""

import time

import pytest
import torch

from lungpipe.training.speed import Speedometer


def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_an_interval_by_a_clock_that_is_set(monkeypatch):
    now = iter([0.0, 0.0, 100.0, 104.0])
    cpu_now = iter([0.0, 0.0, 10.0, 13.0])
    monkeypatch.setattr("lungpipe.training.speed.time.perf_counter", lambda: next(now))
    monkeypatch.setattr("lungpipe.training.speed.time.process_time", lambda: next(cpu_now))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    speed = Speedometer(torch.device("cpu"))
    speed.start(waited_seconds=7.0)
    speed.stop(waited_seconds=8.0)
    metrics = speed.metrics(num_samples=20)
    assert metrics.pop("memory_mib") > 50
    assert metrics == {"samples_per_second": 5.0, "data_wait_fraction": 0.25, "device_utilisation": 0.75}


def test_sleeping_uses_nothing_and_computing_all():
    speed = Speedometer(torch.device("cpu"))
    found = []
    for work in (time.sleep, busy):
        speed.start(0.0)
        work(0.2)
        speed.stop(0.0)
        found.append(speed.metrics(1)["device_utilisation"] * torch.get_num_threads())
    assert found[0] < 0.5 * found[1]


@pytest.mark.gpu
def test_on_a_gpu_the_time_is_that_of_its_queue():
    device = torch.device("cuda")
    speed = Speedometer(device)
    speed.start(0.0)
    torch.cuda._sleep(int(2e8))
    speed.stop(0.0)
    torch.cuda.synchronize()
    metrics = speed.metrics(10)
    assert 0 < metrics["samples_per_second"] < 1000
    assert metrics["memory_mib"] >= 0
