"""Wait for what other processes do."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], seconds: float = 60.0, *, step: float = 0.1) -> None:
    """Return once the condition holds; fail after `seconds`. The condition is asked every `step` seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timeout"
        time.sleep(step)
