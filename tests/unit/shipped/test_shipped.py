"""The model in the package, and a package without a model."""

from pathlib import Path

import pytest
from random_detector import write_random_detector

from lungpipe import shipped


def test_a_package_without_a_model_says_how_to_train_one(monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED_MODEL", "none")
    assert shipped.find_shipped_model() is None
    with pytest.raises(ValueError, match=r"model: expected a trained model, found none: .*snakemake --cores 8"):
        shipped.require_shipped_model()


def test_a_folder_without_a_detector_is_no_model(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "SHIPPED_MODEL", str(tmp_path))
    assert shipped.find_shipped_model() is None
    write_random_detector(tmp_path / shipped.DETECTOR_FILE)
    assert shipped.find_shipped_model() == shipped.require_shipped_model() == tmp_path


def test_the_package_has_a_detector_a_scorer_and_their_card():
    folder = Path(shipped.__file__).parent / shipped.SHIPPED_MODEL
    assert shipped.require_shipped_model() == folder
    names = {path.name for path in folder.iterdir()}
    assert {shipped.DETECTOR_FILE, shipped.SCORER_FILE, "MODEL_CARD.md"} <= names
