"""A config over its recipe: what is merged, and what is refused in which words."""

import pytest
import yaml

from lungpipe.settings import SettingsError, StudySettings, load_study
from lungpipe.settings.load import expand_variables, overlay, read_recipe


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    small = {"segmenter": {"channels": [4, 8], "training": {"num_steps": 7, "batch_size": 2, "learning_rate": 0.01}}}
    (folder / "small.yaml").write_text(yaml.safe_dump(small))
    (folder / "plain.yaml").write_text("")
    return folder


def test_an_empty_recipe_and_an_empty_config_give_the_defaults(recipes):
    assert load_study({"recipe": "plain"}, recipes) == StudySettings(recipe="plain")
    # a section without keys is what YAML reads where every key is commented out
    assert load_study({"recipe": "plain", "segmenter": None}, recipes) == StudySettings(recipe="plain")


def test_the_config_lies_over_the_recipe_key_by_key(recipes):
    config = {"recipe": "small", "segmenter": {"stem_stride": 1, "training": {"num_steps": 3}}}
    segmenter = load_study(config, recipes).segmenter
    assert (segmenter.channels, segmenter.stem_stride) == ((4, 8), 1)
    assert (segmenter.training.num_steps, segmenter.training.batch_size) == (3, 2)
    assert config == {"recipe": "small", "segmenter": {"stem_stride": 1, "training": {"num_steps": 3}}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"sede": 1}, "config: unknown key 'sede'"),
        ({"segmenter": {"chanels": [4]}}, "config: unknown key 'segmenter.chanels'"),
        ({"seed": -1}, r"config: seed: .*, found -1"),
        ({"seed": "many"}, "config: seed: .*, found 'many'"),
        ({"segmenter": 5}, "config: segmenter: .*, found 5"),
        ({"segmenter": [1]}, r"config: segmenter: .*, found \[1\]"),
        ({"folds": [0, 10]}, r"config: folds: expected different numbers from 0 to 9, found \[0, 10\]"),
        ({"folds": [1, 1]}, "config: folds: expected different numbers"),
        ({"folds": []}, "config: folds: expected different numbers"),
        ({"folds": [0], "dataset": {"num_subsets": 2}}, "dataset.num_subsets: expected at least 3"),
        ({"dataset": {"kind": "luna16"}}, "dataset.root: expected the LUNA16 folder"),
        (
            {"segmenter": {"tile_size_vox": 16, "tile_overlap_vox": 16}},
            "expected less than tile_size_vox, found 16 of 16",
        ),
        ({"compute": {"device": "tpu"}}, "config: compute.device: .*, found 'tpu'"),
    ],
)
def test_what_cannot_be_run_is_refused_with_key_and_value(recipes, config, expected):
    with pytest.raises(SettingsError, match=expected):
        load_study({"recipe": "plain", **config}, recipes)


def test_all_mistakes_are_told_at_once(recipes):
    with pytest.raises(SettingsError) as caught:
        load_study({"recipe": "plain", "sede": 1, "seed": -1}, recipes)
    assert len(str(caught.value).splitlines()) == 2


def test_a_recipe_that_is_not_there_is_told_with_those_that_are(recipes):
    with pytest.raises(
        SettingsError, match=r"recipe: expected one of plain, small, found 'larger' \(no file .*larger\.yaml"
    ):
        load_study({"recipe": "larger"}, recipes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 3\n", r"odd\.yaml: expected the keys segmenter, candidates, classifier, found seed"),
        ("- segmenter\n- seed\n", r"odd\.yaml: expected the keys .*, found seed"),
        ("segmenter: [1\n", r"odd\.yaml: expected YAML, found"),
    ],
)
def test_a_recipe_holds_recipe_sections_alone(recipes, text, expected):
    (recipes / "odd.yaml").write_text(text)
    with pytest.raises(SettingsError, match=expected):
        read_recipe(recipes, "odd")


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
    config = {"recipe": "plain", "dataset": {"kind": "luna16", "root": "${ABSENT}/raw"}}
    with pytest.raises(SettingsError, match=r"\$\{ABSENT\}/raw: expected the environment variable ABSENT"):
        load_study(config, recipes)
    monkeypatch.setenv("ABSENT", "/data")
    assert load_study(config, recipes).dataset.root == "/data/raw"
    assert config["dataset"]["root"] == "${ABSENT}/raw"
    config["dataset"]["lidc_xml"] = "${ABSENT}/xml.zip"
    assert load_study(config, recipes).dataset.lidc_xml == "/data/xml.zip"


def test_the_recipes_of_the_project_are_valid(request):
    folder = request.config.rootpath / "recipes"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    assert "flagship" in names
    for name in names:
        study = load_study({"recipe": name}, folder)
        stride = study.segmenter.stem_stride * 2 ** (len(study.segmenter.channels) - 1)
        assert study.segmenter.patch_size_vox % stride == study.segmenter.tile_size_vox % stride == 0
