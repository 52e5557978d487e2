"""What two studies do differently, as a reader is told."""

import pytest
import yaml

from lungpipe.settings import ConfigSettings, SettingsError
from lungpipe.settings.difference import (
    NOTHING,
    SETTINGS_FILE,
    describe_differences,
    differences,
    find_studies,
    list_differences,
    portable_settings,
    read_settings,
    settings_text,
)

OURS = {"name": "low", "seed": 7, "folds": (0, 3), "detector": {"training": {"learning_rate": 0.1, "num_steps": 9}}}
THEIRS = {"name": None, "seed": 2016, "folds": [0, 3], "detector": {"training": {"learning_rate": 0.2, "num_steps": 9}}}


def test_only_keys_with_another_value_are_named():
    assert differences(OURS, THEIRS) == {"seed": (7, 2016), "detector.training.learning_rate": (0.1, 0.2)}
    expected = "seed 7 (there 2016), detector.training.learning_rate 0.1 (there 0.2)"
    assert describe_differences(OURS, THEIRS) == expected


def test_the_differences_of_two_studies_have_a_line_each():
    lines = ["seed: 7 in A, 2016 in B", "detector.training.learning_rate: 0.1 in A, 0.2 in B"]
    assert list_differences(OURS, THEIRS) == lines
    assert list_differences({"seed": 1}, {"seed": 1}) == ["A and B differ in no setting that changes a result"]
    assert len(list_differences({f"k{n}": 1 for n in range(20)}, {f"k{n}": 2 for n in range(20)})) == 20


def test_a_key_that_one_study_does_not_have_is_named():
    assert differences({"a": {"b": 1}}, {"a": {}}) == {"a.b": (1, NOTHING), "a": (NOTHING, {})}


def test_name_and_hardware_change_no_result():
    ours = {"name": "x", "compute": {"device": "cpu"}, "seed": 1}
    assert describe_differences(ours, {"name": "y", "compute": {"device": "cuda"}, "seed": 1}) == (
        "no setting that changes a result"
    )


def test_many_differences_are_cut():
    found = describe_differences({f"k{n}": 1 for n in range(20)}, {f"k{n}": 2 for n in range(20)})
    assert found.startswith("k0 1 (there 2), ")
    assert found.endswith("k7 1 (there 2) and 12 more")


def test_other_studies_of_the_dataset_are_found_by_their_settings(tmp_path):
    for name in ("flagship", "low"):
        (tmp_path / name).mkdir()
        (tmp_path / name / SETTINGS_FILE).write_text(f"seed: {len(name)}\n")
    (tmp_path / "volumes").mkdir()
    said = []
    assert find_studies(tmp_path, aside="low", say=said.append) == {"flagship": {"seed": 8}}
    assert said == []


@pytest.mark.parametrize("content", [b"seed: [1", b"\xff\xfe", b"seed", b"[" * 100_000])
def test_a_study_with_damaged_settings_is_left_out_by_name(tmp_path, content):
    for name, text in (("flagship", b"seed: 8\n"), ("low", content)):
        (tmp_path / name).mkdir()
        (tmp_path / name / SETTINGS_FILE).write_bytes(text)
    with pytest.raises(SettingsError, match=r"low/settings\.yaml: expected the settings of a study"):
        read_settings(tmp_path / "low")
    said = []
    assert find_studies(tmp_path, aside="own", say=said.append) == {"flagship": {"seed": 8}}
    [line] = said
    assert line.startswith(f"study low is left out of the comparison: {tmp_path}/low/settings.yaml: expected")
    assert "\n" not in line


@pytest.mark.parametrize("key", ["root", "lidc_xml", "lidc_annotations", "whole_scan_tables"])
def test_no_path_is_written(key):
    study = ConfigSettings(dataset={"name": "x", key: "/secret/place"}, results_dir="/secret")
    text = settings_text(study.model_dump(mode="json"))
    assert "secret" not in text
    assert yaml.safe_load(text)["dataset"]["name"] == "x"


def test_whole_scans_are_counted_and_not_named():
    scans = {"1.2.840.99": "/secret/one.mhd", "1.2.840.98": "/secret/two"}
    dataset = {"name": "x", "kind": "luna16", "root": "/secret", "whole_scans": scans, "whole_scan_tables": "/secret"}
    text = settings_text(ConfigSettings(dataset=dataset).model_dump(mode="json"))
    assert "secret" not in text
    assert "1.2.840" not in text
    kept = yaml.safe_load(text)
    assert kept["dataset"]["whole_scans"] == 2
    assert portable_settings(kept) == kept


def test_a_file_of_weights_is_named_without_its_folder():
    scorer = {"network": {"name": "slice_vgg16", "weights_path": "/secret/vgg16.pth"}}
    assert portable_settings({"scorer": scorer})["scorer"]["network"]["weights_path"] == "vgg16.pth"
    scorer["network"]["weights_path"] = None
    assert portable_settings({"scorer": scorer}) == {"scorer": scorer}


def test_settings_that_an_earlier_version_wrote_with_identifiers_are_read_without_them(tmp_path):
    (tmp_path / SETTINGS_FILE).write_text("dataset: {root: /secret, whole_scans: {1.2.840.99: /secret/one.mhd}}\n")
    assert read_settings(tmp_path) == {"dataset": {"whole_scans": 1}}
