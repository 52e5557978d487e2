"""The model in the package: a folder that may be absent."""

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


def test_the_folder_is_in_the_package():
    folder = Path(shipped.__file__).parent / shipped.SHIPPED_MODEL
    assert shipped.find_shipped_model() == (folder if folder.is_dir() else None)
