"""Mistakes in the arguments of `snakemake`, each a line."""

import pytest

from lungpipe.settings.command_line import find_mistakes, find_slips, refuse_mistakes, refuse_targets


def mistakes(*arguments: str) -> list[str]:
    return list(find_mistakes(arguments))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("seed", "expected key=value, found no ="),
        (
            "scale.detector.num_steps=100",
            "expected a key within a section in braces: 'scale={detector: {num_steps: 100}}'",
        ),
        (
            "scale.detector.num_step=100",
            "expected a key of config.yaml, found 'scale.detector.num_step'; the nearest key is "
            "'scale.detector.num_steps'",
        ),
        (
            "detector.kind=given",
            "expected a key of config.yaml, found one of a recipe: copy a file of recipes/ and change it there",
        ),
        (
            "scale={detector: {num_steps: 100}",
            "expected YAML with every brace closed, found line 1, column 28: expected ',' or '}', but got "
            "'<stream end>'",
        ),
        ("s=3", "expected a key of config.yaml, found 's'"),
        ("=3", "expected a key of config.yaml, found ''"),
    ],
)
@pytest.mark.parametrize("option", ["--config", "-C"])
def test_an_entry_that_snakemake_cannot_take_is_explained(option, entry, message):
    assert mistakes("--cores", "8", option, "seed=7", entry, "--dry-run") == [f"{option} {entry}: {message}"]


def test_the_value_may_follow_an_equals_sign():
    assert mistakes("--config=seed", "--cores", "1") == ["--config seed: expected key=value, found no ="]


def test_entries_and_files_that_are_right_are_not_named(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("seed: 7\n")
    (tmp_path / "empty.yaml").write_text("")
    files = ["--configfile", str(study), str(tmp_path / "empty.yaml")]
    entries = ["--config", "seed=7", "folds=[0,1]", "name=", "scale={}"]
    assert mistakes("report.html", "--cores", "8", *files, *entries) == []


def test_words_of_other_options_are_not_looked_at():
    assert mistakes("a.b", "--forcerun", "seed", "--set-threads", "a.b=3") == []


def test_a_file_with_a_slip_in_its_name_is_named_with_the_nearest(tmp_path):
    (tmp_path / "luna16.yaml").write_text("")
    path = tmp_path / "luna61.yaml"
    expected = f"expected a config file, found none; the nearest is {tmp_path / 'luna16.yaml'}"
    assert mistakes("--configfile", str(path)) == [f"--configfile {path}: {expected}"]


def test_a_target_behind_the_file_is_told_from_a_file():
    [line] = mistakes("--configfiles", "results/ci/flagship/report.html")
    assert line.endswith("found none; a file to make goes before --configfile")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("folds: [0, 2\nseed: 1\n", "yaml: expected YAML, found line 2, column 5: expected ',' or ']', but got ':'"),
        ("a: \x00\n", "yaml: expected YAML, found unacceptable character #x0000"),
        ("- 1\n", "yaml: expected keys and values, found list"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "study.yaml"
    path.write_text(content)
    [line] = mistakes("--configfile", str(path))
    assert message in line
    assert "\n" not in line


def test_all_mistakes_are_printed_and_the_program_ends(capsys):
    with pytest.raises(SystemExit) as ended:
        refuse_mistakes(["--config", "seed", "s=1"])
    assert ended.value.code == 2
    assert [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()] == ["lungpipe", "lungpipe"]
    refuse_mistakes(["--config", "seed=1"])


RULES = ("all", "final_model", "final_bundle", "train_detector")


def test_a_slip_in_the_name_of_a_rule_is_named_with_the_nearest():
    [line] = find_slips(RULES, ["--cores", "8", "final_modle", "--config", "seed=7"])
    assert line == "final_modle: expected a rule or a file to make, found neither; the nearest rule is final_model"
    assert len(list(find_slips(RULES, ["--forcerun", "train_detectors"]))) == 1


def test_rules_files_and_words_unlike_any_rule_are_no_slips(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "final_models").mkdir()
    words = ["all", "final_model", "final_models", "results/ci/final_modle", "slurm", "--dry-run", "mtime"]
    assert list(find_slips(RULES, words)) == []


def test_the_value_of_another_option_is_no_rule():
    assert list(find_slips(RULES, ["--directory", "final_modle", "--cores", "2"])) == []
    assert len(list(find_slips(RULES, ["-n", "final_modle"]))) == 1
    assert len(list(find_slips(RULES, ["--cores=2", "final_modle"]))) == 1


def test_a_wrong_rule_ends_the_program(capsys):
    with pytest.raises(SystemExit) as ended:
        refuse_targets(RULES, ["final_modle"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("lungpipe: final_modle: expected a rule")
    refuse_targets(RULES, ["final_model"])
