"""A small drawn chest, and models with random weights, which find something in the chest; as fixtures, too."""

from pathlib import Path

import pytest
from random_detector import write_random_detector, write_random_scorer

from lungpipe.datasets.luna16 import list_scans
from lungpipe.phantom import write_phantom
from lungpipe.prediction.model import load_model
from lungpipe.settings import PhantomSettings


def draw_chests(root: Path, count: int = 1) -> list[Path]:
    """Write scans of the phantom into one subset folder and return their headers."""
    write_phantom(root, PhantomSettings(scans_per_subset=count, seed=3), 1, num_workers=1)
    return [scan.header_path for scan in list_scans(root, 0)]


def write_models(folder: Path) -> Path:
    """Write a detector and a scorer for 2 mm voxels, and return the folder."""
    write_random_detector(folder / "detector.safetensors")
    write_random_scorer(folder / "scorer.safetensors")
    return folder


@pytest.fixture(scope="session")
def chest(tmp_path_factory):
    """The header of a scan of the phantom."""
    return draw_chests(tmp_path_factory.mktemp("chest"))[0]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A folder with a detector and a scorer for 2 mm voxels."""
    return write_models(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def model(model_folder):
    """The model in `model_folder`, loaded."""
    return load_model(model_folder, device="cpu", threads=1)
