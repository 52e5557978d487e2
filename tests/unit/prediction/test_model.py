"""Loading a model for predictions: folders, files, roles, and what is refused."""

import pytest
from random_detector import write_random_detector, write_random_scorer

from lungpipe.prediction.model import device_name, load_model


def load(source):
    return load_model(source, device="cpu", threads=1)


def test_a_folder_is_a_detector_and_its_scorer(model_folder):
    model = load(model_folder)
    assert [card.role for card in model.cards] == ["detector", "scorer"]
    assert sorted(model.digests) == ["detector", "scorer"]
    assert all(len(digest) == 64 for digest in model.digests.values())
    assert device_name(model.hardware) == "cpu"


def test_files_may_come_in_any_order(model_folder):
    model = load([model_folder / "scorer.safetensors", str(model_folder / "detector.safetensors")])
    assert model.digests == load(model_folder).digests


def test_a_detector_alone_is_a_model(model_folder):
    model = load(model_folder / "detector.safetensors")
    assert model.scorer is None
    assert [card.role for card in model.cards] == ["detector"]


def test_a_model_knows_the_series_of_both_networks(tmp_path):
    write_random_detector(tmp_path / "detector.safetensors", saw=("1.2",))
    write_random_scorer(tmp_path / "scorer.safetensors", saw=("1.3",))
    model = load(tmp_path)
    assert [model.has_seen(uid) for uid in ("1.2", "1.3", "1.4")] == [True, True, False]


def test_without_a_model_the_message_says_how_to_train_one(monkeypatch):
    monkeypatch.setattr("lungpipe.shipped.SHIPPED_MODEL", "none")
    with pytest.raises(ValueError, match="model: expected a trained model, found none: this lungpipe has none in its"):
        load_model()


def test_what_is_no_model_is_refused(tmp_path, model_folder):
    detector, scorer = (model_folder / name for name in ("detector.safetensors", "scorer.safetensors"))
    coarse = write_random_scorer(tmp_path / "coarse.safetensors", spacing_zyx_mm=(1.0, 2.0, 2.0))
    (tmp_path / "empty").mkdir()
    cases = {
        "expected the file detector.safetensors": tmp_path / "empty",
        "expected a detector, found none among": scorer,
        "expected one detector, found two": [detector, detector],
        "expected at least one model file": [],
        "coarse.safetensors: expected the detector's spacing": [detector, coarse],
    }
    for message, source in cases.items():
        with pytest.raises(ValueError, match=message):
            load(source)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.safetensors")
