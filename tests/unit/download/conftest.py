"""A Zenodo on this machine, and a patience that fits a test."""

import importlib.util
from pathlib import Path

import pytest

from lungpipe.download import FetchRequest, RetryPolicy, Watch

_PATH = Path(__file__).parents[2] / "reference" / "record_server.py"
_SPEC = importlib.util.spec_from_file_location("record_server", _PATH)
record_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(record_server)

IMPATIENT = RetryPolicy(num_attempts=3, first_delay_s=0.005, longest_delay_s=0.02, step_bytes=10_000)


@pytest.fixture(scope="session")
def luna_files():
    return record_server.luna_files()


@pytest.fixture
def zipped():
    return record_server.zipped


@pytest.fixture
def server(luna_files):
    running = record_server.RecordServer({number: dict(files) for number, files in luna_files.items()})
    yield running
    running.close()


@pytest.fixture
def policy():
    return IMPATIENT


@pytest.fixture
def request_of(server):
    return lambda *subsets, **options: FetchRequest(
        **{"subsets": subsets, "source": server.source, "policy": IMPATIENT, **options}
    )


@pytest.fixture
def watch():
    """A watch that remembers: `watch.said` lines are in the list behind `watch.say`."""
    return Watch(say=_Heard())


class _Heard(list):
    def __call__(self, line):
        self.append(line)
