"""A small drawn chest and models with random weights."""

import pytest
from chest_models import draw_chests, write_models

from lungpipe.prediction.model import load_model


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
    return load_model(model_folder, device="cpu", threads=1)
