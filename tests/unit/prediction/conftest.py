"""A small drawn chest and models with random weights, which find something in it."""

import pytest
from random_detector import write_random_detector, write_random_scorer

from lungpipe.datasets.luna16 import list_scans
from lungpipe.phantom import write_phantom
from lungpipe.prediction.model import load_model
from lungpipe.settings import PhantomSettings


@pytest.fixture(scope="session")
def chest(tmp_path_factory):
    """The header of a scan of the phantom."""
    root = tmp_path_factory.mktemp("chest")
    write_phantom(root, PhantomSettings(scans_per_subset=1), 1, 3, num_workers=1)
    return list_scans(root, 0)[0].header_path


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A folder with a detector and a scorer for 2 mm voxels."""
    folder = tmp_path_factory.mktemp("model")
    write_random_detector(folder / "detector.safetensors")
    write_random_scorer(folder / "scorer.safetensors")
    return folder


@pytest.fixture(scope="session")
def model(model_folder):
    return load_model(model_folder, device="cpu", threads=1)
