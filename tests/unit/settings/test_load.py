"""A config and its recipe: what a study may change, and what is refused in which words."""

import pytest
import yaml

from lungpipe.settings import ConfigSettings, SettingsError, load_study
from lungpipe.settings.load import RECIPE_SECTIONS, expand_variables, overlay, read_recipe, weights_files
from lungpipe.settings.recipe import GivenCandidates


@pytest.fixture
def recipes(tmp_path, request):
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name in ("flagship", "centernet"):
        text = (request.config.rootpath / "recipes" / f"{name}.yaml").read_text()
        (folder / f"{name}.yaml").write_text(text)
    return folder


def change(recipes, edit):
    """Write the recipe `odd`: flagship after `edit`."""
    content = yaml.safe_load((recipes / "flagship.yaml").read_text())
    edit(content)
    (recipes / "odd.yaml").write_text(yaml.safe_dump(content))


def test_a_recipe_and_an_empty_config_give_the_defaults_of_a_study(recipes):
    study = load_study({}, recipes)
    defaults = ConfigSettings()
    assert {name: getattr(study, name) for name in ConfigSettings.model_fields} == dict(defaults)
    assert (study.recipe, study.detector.network.kind) == ("flagship", "center_net")
    assert load_study({"recipe": "centernet"}, recipes).detector.network.kind == "center_net"


def test_a_study_scales_what_is_trained_and_changes_nothing_else(recipes):
    config = {
        "scale": {"detector": {"num_steps": 3, "batch_size": None}, "scorer": {"batch_size": 5, "num_members": 2}}
    }
    plain, scaled = load_study({}, recipes), load_study(config, recipes)
    assert (scaled.detector.training.num_steps, scaled.scorer.training.batch_size) == (3, 5)
    assert scaled.scorer.training.num_members == 2
    before, after = plain.model_dump(), scaled.model_dump()
    assert after["detector"]["training"].pop("num_steps") == 3
    assert before["detector"]["training"].pop("num_steps") == 800
    for key, values in {"batch_size": (24, 5), "num_members": (1, 2)}.items():
        assert (before["scorer"]["training"].pop(key), after["scorer"]["training"].pop(key)) == values
    assert {name: after[name] for name in RECIPE_SECTIONS} == {name: before[name] for name in RECIPE_SECTIONS}
    assert config["scale"]["detector"] == {"num_steps": 3, "batch_size": None}


def test_the_scale_of_a_part_that_is_not_trained_changes_nothing(recipes):
    change(recipes, lambda content: content.update(detector={"kind": "given"}))
    study = load_study({"recipe": "odd", "scale": {"detector": {"num_steps": 3}}}, recipes)
    assert study.detector == GivenCandidates()


def test_a_study_that_scores_the_candidates_of_another_trains_no_detector(recipes):
    config = {"name": "narrow", "candidates_of": "flagship", "scale": {"detector": {"num_steps": 3}}}
    study = load_study(config, recipes)
    assert study.detector == GivenCandidates()
    assert study.candidates_dir == study.dataset_dir / "flagship"
    assert study.scorer == load_study({}, recipes).scorer
    assert load_study({}, recipes).candidates_dir is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"candidates_of": "flagship"},
            "config: candidates_of: expected another study than this, found 'flagship'",
        ),
        ({"candidates_of": "../flagship", "name": "a"}, "config: candidates_of: "),
        ({"sede": 1}, "config: unknown key 'sede'"),
        ({"scale": {"detector": {"channels": [4]}}}, "config: unknown key 'scale.detector.channels'"),
        ({"scale": {"scorer": {"num_steps": 0}}}, "config: scale.scorer.num_steps: expected greater than .*, found 0"),
        ({"scale": 5}, "config: scale: .*, found 5"),
        ({"seed": -1}, r"config: seed: .*, found -1"),
        ({"seed": "many"}, "config: seed: .*, found 'many'"),
        ({"dataset": 5}, "config: dataset: .*, found 5"),
        ({"dataset": [1]}, r"config: dataset: .*, found \[1\]"),
        ({"folds": [0, 10]}, r"config: folds: expected different numbers from 0 to 9, found \[0, 10\]"),
        ({"folds": [1, 1]}, "config: folds: expected different numbers"),
        ({"folds": []}, "config: folds: expected different numbers"),
        ({"folds": [0], "dataset": {"num_subsets": 2}}, "config: dataset.num_subsets: expected at least 3"),
        ({"dataset": {"kind": "luna16"}}, "config: dataset.root: expected the LUNA16 folder"),
        ({"compute": {"device": "tpu"}}, "config: compute.device: .*, found 'tpu'"),
        (
            {"detector": {"kind": "given"}},
            r"config: detector: expected in a recipe \(.*flagship\.yaml\), found in the study",
        ),
        ({"scorer": {}}, "config: scorer: expected in a recipe"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_with_key_and_value(recipes, config, expected):
    with pytest.raises(SettingsError, match=f"^{expected}") as caught:
        load_study(config, recipes)
    assert len(str(caught.value).splitlines()) == 1


def test_all_mistakes_are_told_at_once(recipes):
    change(recipes, lambda content: content["detector"]["network"].update(channels=[0]))
    config = {"recipe": "odd", "sede": 1, "seed": -1, "scale": {"detector": {"num_steps": 0}}}
    with pytest.raises(SettingsError) as caught:
        load_study(config, recipes)
    assert len(str(caught.value).splitlines()) == 4


def test_a_recipe_that_is_not_there_is_told_with_those_that_are(recipes):
    expected = r"recipe: expected one of centernet, flagship, found 'larger' \(no file .*larger\.yaml"
    with pytest.raises(SettingsError, match=expected):
        load_study({"recipe": "larger"}, recipes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 3\n", r"odd\.yaml: expected the keys detector, scorer, patient, found seed"),
        ("detector: {}\nscorer: {}\n", r"odd\.yaml: expected the keys .*, found detector, scorer"),
        ("- detector\n- seed\n", r"odd\.yaml: expected the keys .*, found detector, seed"),
        ("", r"odd\.yaml: expected the keys .*, found none"),
        ("detector: [1\n", r"odd\.yaml: expected YAML, found line 2, column 1: expected ',' or '\]'"),
    ],
)
def test_a_recipe_holds_the_sections_of_a_recipe_and_all_of_them(recipes, text, expected):
    (recipes / "odd.yaml").write_text(text)
    with pytest.raises(SettingsError, match=expected):
        read_recipe(recipes, "odd")


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        (lambda content: content["detector"]["sampling"].pop("mask"), "detector.sampling.mask"),
        (lambda content: content["scorer"]["training"].pop("augmentation"), "scorer.training.augmentation"),
        (
            lambda content: (content["patient"].pop("num_top"), content["scorer"]["network"].pop("dropout")),
            "scorer.network.dropout, patient.num_top",
        ),
    ],
)
def test_a_recipe_that_leaves_a_key_to_its_default_is_refused(recipes, edit, keys):
    change(recipes, edit)
    with pytest.raises(SettingsError, match=rf"odd\.yaml: expected every key of a recipe, found none for {keys}$"):
        load_study({"recipe": "odd"}, recipes)


def test_overlay_goes_into_every_depth_and_copies():
    base, delta = {"a": {"b": {"c": 1, "d": 2}}, "e": [1, 2]}, {"a": {"b": {"c": 9}}, "e": [3], "f": {"g": 1}}
    merged = overlay(base, delta)
    assert merged == {"a": {"b": {"c": 9, "d": 2}}, "e": [3], "f": {"g": 1}}
    merged["a"]["b"]["d"] = merged["f"]["g"] = 0
    merged["e"].append(4)
    assert (base["a"]["b"]["d"], delta["f"]["g"], delta["e"]) == (2, 1, [3])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${LUNA}/raw", "/data/raw"),
        ("${LUNA:-/elsewhere}", "/data"),
        ("${ABSENT:-/elsewhere}/x", "/elsewhere/x"),
        ("${EMPTY:-/elsewhere}", "/elsewhere"),
        ("${ABSENT:-}", ""),
        ("~/luna", "/house/luna"),
        ("${ABSENT:-~}/luna", "/house/luna"),
        ("plain", "plain"),
    ],
)
def test_variables_are_filled_from_the_environment(monkeypatch, text, expected):
    for name, value in (("LUNA", "/data"), ("EMPTY", ""), ("HOME", "/house")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ABSENT", raising=False)
    assert expand_variables(text) == expected


def test_a_variable_without_a_value_is_named(monkeypatch, recipes):
    monkeypatch.delenv("ABSENT", raising=False)
    config = {"dataset": {"kind": "luna16", "root": "${ABSENT}/raw"}}
    with pytest.raises(SettingsError, match=r"\$\{ABSENT\}/raw: expected the environment variable ABSENT"):
        load_study(config, recipes)
    monkeypatch.setenv("ABSENT", "/data")
    assert load_study(config, recipes).dataset.root == "/data/raw"
    assert config["dataset"]["root"] == "${ABSENT}/raw"
    config["dataset"]["lidc_xml"] = "${ABSENT}/xml.zip"
    assert load_study(config, recipes).dataset.lidc_xml == "/data/xml.zip"


def test_whole_scans_need_tables_and_a_dataset_of_files(recipes, monkeypatch):
    monkeypatch.setenv("SCANS", "/data")
    dataset = {"kind": "luna16", "root": "/data/crops", "whole_scan_tables": "${SCANS}/tables"}
    config = {"dataset": {**dataset, "whole_scans": {"1.2": "${SCANS}/dicom/a"}}}
    study = load_study(config, recipes)
    assert study.dataset.whole_scans == {"1.2": "/data/dicom/a"}
    assert study.dataset.whole_scan_tables == "/data/tables"
    del config["dataset"]["whole_scan_tables"]
    with pytest.raises(SettingsError, match=r"dataset\.whole_scan_tables: expected the folder of the tables"):
        load_study(config, recipes)
    with pytest.raises(SettingsError, match=r"dataset\.whole_scans: expected none for .*'phantom', found 1"):
        load_study({"dataset": {"whole_scans": {"1.2": "a"}, "whole_scan_tables": "b"}}, recipes)


def test_a_file_of_first_weights_has_to_be_there(recipes, tmp_path):
    network = {"kind": "slice_vgg16", "weights_path": str(tmp_path / "vgg16.pth")}

    full = {"windows_hu": [[-1000, 400]], "normalisation": "zero_one", "num_planes": 1, "slices_per_plane": 1}
    full |= {"slice_step_vox": 1, "aggregate": "mean", "dropout": 0.5, "channels": [64, 128, 256, 512, 512]}
    full |= {"hidden": 8, "frozen_blocks": 0}
    objective = {"kind": "slices", "malignancy_weight": 0.5, "place_weight": 1.0, "diameter_weight": 1.0}

    def edit(content):
        content["scorer"]["network"] = full | network
        content["scorer"]["training"]["objective"] = objective

    change(recipes, edit)
    study = load_study({"recipe": "odd"}, recipes)
    expected = r"scorer\.network\.weights_path: expected a file of weights, found no file .*vgg16\.pth"
    with pytest.raises(SettingsError, match=expected):
        weights_files(study)
    (tmp_path / "vgg16.pth").write_bytes(b"weights")
    assert weights_files(study) == [str(tmp_path / "vgg16.pth")]
    assert weights_files(load_study({}, recipes)) == []
