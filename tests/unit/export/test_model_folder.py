"""A model's folder: its files load by themselves, and its card says what the files and the evaluation say."""

from dataclasses import replace

import pandas as pd
import pytest
from random_detector import write_random_detector, write_random_scorer

from lungpipe.evaluation.whole_scans import FP_COUNTS
from lungpipe.export.model_folder import Evidence, ModelFolderError, write_model_folder
from lungpipe.models import Model, load_model, save_model
from lungpipe.prediction.model import load_model as load_folder
from lungpipe.settings import ModelSettings, ScanLimits

ABOUT = ModelSettings(
    name="small-model",
    data="Phantoms of a test.",
    licence="CC BY 9.9",
    unseen="Real scans.",
    limits="It is random.",
    scan_limits=ScanLimits(min_slices=7),
)
RATES = ("0.125", "0.25", "0.5", "1", "2", "4", "8")
SUMMARY = {
    "folds": [0, 2],
    "num_scans": 12,
    "num_nodules": 30,
    "cpm": 0.71,
    "strata": {"subset": [{"name": "3", "cpm": 0.7}]},
    "cpm_ci95": [0.6, 0.8],
    "sensitivity": dict.fromkeys(RATES, 0.5),
    "sensitivity_ci95": {rate: [0.4, 0.6] for rate in RATES},
    "sensitivity_max": 0.9,
    "nodule_auc": {"auc": 0.8, "auc_ci95": [0.7, 0.9]},
    "malignancy": {"model": {"auc": 0.93, "auc_ci95": [0.9, 0.95]}, "diameter_only": {"auc": 0.91, "auc_ci95": None}},
    "patients": None,
    "localisation": {"median_mm": 0.456},
}
WHOLE = pd.DataFrame(
    {
        "series_uid": ["1.7", "1.8"],
        "patient_id": ["secret-A", "secret-B"],
        "fold": [0, 2],
        "num_nodules": [9, 1],
        "num_hits": [9, 1],
        "num_hits_probable": [7, 1],
        "num_false_positives_probable": [3, 2],
        **{f"hits_at_{count}_fp": [count, 1] for count in FP_COUNTS},
    }
)


@pytest.fixture
def models(tmp_path):
    return {
        "detector": write_random_detector(tmp_path / "a.safetensors", saw=("1.1", "1.2")),
        "scorer": write_random_scorer(tmp_path / "b.safetensors", saw=("1.1",)),
    }


def write(models, folder, *, about=ABOUT, whole=WHOLE, summary=SUMMARY):
    write_model_folder(models, folder, about, Evidence(summary, whole, "median"))
    return (folder / "MODEL_CARD.md").read_text()


def test_the_folder_is_a_model_with_the_studys_figures_on_its_cards(models, tmp_path):
    write(models, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "MODEL_CARD.md",
        "detector.safetensors",
        "scorer.safetensors",
    ]
    loaded = load_folder(tmp_path / "out", device="cpu", threads=1)
    for card in loaded.cards:
        assert card.figures["cross_validated_cpm"] == 0.71
        assert card.figures["cross_validated_cpm_fold3"] == 0.7
        assert card.figures["cross_validated_malignancy_auc"] == 0.93
        assert card.figures["cross_validated_whole_num_nodules"] == 10
    before, after = load_model(models["detector"]), load_model(tmp_path / "out" / "detector.safetensors")
    one, two = (model.members[0].state_dict() for model in (before, after))
    assert all(one[name].equal(two[name]) for name in one)
    assert (before.card.limits.min_slices, before.card.malignancy_rule) == (20, None)
    assert (after.card.limits.min_slices, after.card.malignancy_rule) == (7, "median")
    same = {"figures": {}, "limits": before.card.limits, "malignancy_rule": None}
    assert replace(after.card, **same) == replace(before.card, **same)


def test_the_card_has_the_facts_and_no_identifier(models, tmp_path):
    text = write(models, tmp_path / "out")
    for words in (
        "# small-model",
        "Research use only. Not a medical device",
        "Phantoms of a test.",
        "Trained on 2 series of 0 patients.",
        "Real scans.",
        "(folds 0, 2): 12 volumes with",
        "| CPM | 0.710 | 0.600 to 0.800 |",
        "| sensitivity at 0.125 false positives per volume | 0.500 | 0.400 to 0.600 |",
        "| malignancy AUC | 0.930 | 0.900 to 0.950 |",
        "| malignancy AUC of the diameter alone | 0.910 |  |",
        "| median distance from the annotated centre | 0.46 mm | |",
        "2 whole scans with 10 nodules",
        "8 nodules and 5 false positives have a probability of at least 0.5.",
        "| 9 | 0 | 1 | 2 | 4 | 8 |",
        "| detector | random | center_net | 1 | 1 | ",
        "never a diagnosis of cancer",
        "CC BY 9.9",
        "It is random.",
        "more than 5 mm apart, with fewer than 7 slices, or with less than 50 ml of lung.",
    ):
        assert words in text, words
    assert "secret" not in text
    assert "1.7" not in text
    assert "\n\n\n" not in text
    # Markdown needs a blank line before a table
    lines = text.splitlines()
    assert all(lines[row - 2] == "" for row, line in enumerate(lines) if line.startswith("|---"))


def test_sections_without_content_are_left_out(models, tmp_path):
    empty = WHOLE.iloc[:0]
    text = write(models, tmp_path / "out", about=ModelSettings(), whole=empty, summary={**SUMMARY, "malignancy": None})
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## Training data", "## Cross-validated figures", "## Training", "## Limits"]
    assert "malignancy AUC" not in text


def test_a_detector_alone_is_a_model_too(models, tmp_path):
    text = write({"detector": models["detector"]}, tmp_path / "out")
    assert not (tmp_path / "out" / "scorer.safetensors").exists()
    assert "a detector (safetensors)" in text


def test_models_of_folds_other_roles_and_large_models_are_refused(models, tmp_path, monkeypatch):
    with pytest.raises(ModelFolderError, match=r"b\.safetensors: expected a detector of all series, found a scorer"):
        write({"detector": models["scorer"]}, tmp_path / "out")
    model = load_model(models["detector"])
    of_fold = replace(model.card, fold=3, validation_series=model.card.training_series)
    save_model(tmp_path / "fold.safetensors", Model(of_fold, model.members))
    with pytest.raises(ModelFolderError, match=r"fold\.safetensors: expected a detector .* found a detector of fold 3"):
        write({"detector": tmp_path / "fold.safetensors"}, tmp_path / "out")
    monkeypatch.setattr("lungpipe.export.model_folder.MAX_BYTES", 1000)
    with pytest.raises(ModelFolderError, match=r"out: expected at most 0\.000953674 MiB, found"):
        write(models, tmp_path / "out")
    assert not (tmp_path / "out").exists()
