"""Times of stages, and memory."""

import time

from lungpipe.prediction.stages import Stages, peak_memory_mib


def test_times_add_up_by_name_and_stages_are_told():
    told = []
    stages = Stages(told.append)
    for name in ("read", "detect", "read"):
        with stages.stage(name):
            time.sleep(0.02)
    assert told == ["read", "detect", "read"]
    assert list(stages.times_s) == ["read", "detect"]
    assert 0.04 <= stages.times_s["read"] < 1.0


def test_memory_is_in_mib():
    assert 20 < peak_memory_mib() < 64 * 1024
