"""Messages about wrong settings name the key that was probably meant."""

from pathlib import Path

import pytest

from lungpipe.settings import SettingsError, load_study

RECIPES = Path(__file__).parents[3] / "recipes"

MESSAGES = {
    "a slip in a name": ({"nmae": "x"}, "config: unknown key 'nmae'; the nearest key is 'name'"),
    "a key without its section": (
        {"device": "cpu"},
        "config: unknown key 'device'; the nearest key is 'compute.device'",
    ),
    "a slip within a section": (
        {"evaluation": {"num_bootstrap": 5}},
        "config: unknown key 'evaluation.num_bootstrap'; the nearest key is 'evaluation.num_bootstraps'",
    ),
    "another section": (
        {"candidates": {"threshold": 0.3}},
        "config: unknown key 'candidates'; the nearest key is 'detector.inference.decode.threshold', in a recipe's "
        "file",
    ),
    "a key of a recipe": (
        {"learning_rate": 0.1},
        "config: unknown key 'learning_rate'; the nearest key is 'detector.training.learning_rate', in a recipe's file",
    ),
    "initials": (
        {"lr": 0.1},
        "config: unknown key 'lr'; the nearest key is 'detector.training.learning_rate', in a recipe's file",
    ),
    "nothing like it": ({"xyzzy": 1}, "config: unknown key 'xyzzy'"),
    "one number for a list": ({"folds": 0}, "config: folds: expected a list, found 0"),
    "a name that leaves its folder": (
        {"name": ".."},
        "config: name: expected letters, digits and _ - . (not first), found '..'",
    ),
    "a name of a shared folder": (
        {"name": "volumes"},
        "config: name: expected none of the dataset's folders (raw, whole_scans, targets, volumes, measures, logs, "
        "benchmarks, tracking), found one",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_wrong_setting_is_one_line(name):
    config, message = MESSAGES[name]
    with pytest.raises(SettingsError) as caught:
        load_study(config, RECIPES)
    assert str(caught.value) == message
