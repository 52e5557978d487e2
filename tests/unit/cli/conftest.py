"""Two small drawn chests for the commands that read scans."""

import pytest

from lungpipe.datasets.luna16 import list_scans
from lungpipe.phantom import write_phantom
from lungpipe.settings import PhantomSettings


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two small drawn chests in LUNA16's layout, one in each subset folder."""
    root = tmp_path_factory.mktemp("phantom")
    write_phantom(root, PhantomSettings(scans_per_subset=1, seed=3), 2)
    return root


@pytest.fixture(scope="module")
def scan(dataset):
    """The scan of the second subset folder."""
    return list_scans(dataset, 1)[0]
