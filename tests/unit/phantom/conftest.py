"""One small phantom, written once for all tests of the room."""

from pathlib import Path

import pandas as pd
import pytest

from lungpipe.phantom import write_phantom
from lungpipe.settings import PhantomSettings

NUM_SUBSETS = 7
SETTINGS = PhantomSettings(scans_per_subset=2, in_plane_spacing_mm=(1.1, 1.3), slice_spacing_mm=(1.3, 1.8))


@pytest.fixture(scope="session")
def phantom_settings():
    return SETTINGS


@pytest.fixture(scope="session")
def phantom_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("phantom")
    write_phantom(root, SETTINGS, NUM_SUBSETS, num_workers=2)
    return root


@pytest.fixture(scope="session")
def tables(phantom_root):
    return {path.name: pd.read_csv(path, dtype={"seriesuid": str}) for path in sorted(phantom_root.glob("*.csv"))}
