"""For all tests: how properties are tried, and how often the garbage collector runs.

Properties are tried without a clock, with the same examples each time unless asked to explore.
"""

import gc
import os

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("exploring", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish() -> None:
    """Leave the tests and libraries, a million objects, out of the garbage collector's visits; a tenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
