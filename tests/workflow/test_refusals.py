"""Studies that cannot be run: one clear message each, before any job."""

import shutil

import pytest


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ("detectorr: {}", "config: unknown key 'detectorr'"),
        ("scale: {detector: {steps: 3}}", "config: unknown key 'scale.detector.steps'"),
        ("folds: [0, 4]", "folds: expected different numbers from 0 to 3, found [0, 4]"),
        ("recipe: nothing", "recipe: expected one of book, centernet, cnn3d, flagship"),
        (
            "dataset: {kind: luna16, root: not/here}",
            "not/here: expected the dataset's folder, found none",
        ),
        (
            "dataset: {kind: luna16}",
            "dataset.root: expected the LUNA16 folder for dataset.kind 'luna16', found nothing",
        ),
    ],
    ids=["unknown-key", "unknown-key-inside", "fold", "recipe", "missing-dataset", "no-dataset"],
)
def test_one_message_and_no_job(fresh, delta, message):
    text = fresh.refuse(fresh.delta(delta))
    assert message in text
    assert text.count(message) == 1
    assert not (fresh.folder / "results").exists()


@pytest.fixture
def luna16(finished, fresh):
    """The raw scans as a dataset of their own, and the delta that reads it."""
    shutil.copytree(finished.dataset / "raw", fresh.folder / "luna")
    return fresh, fresh.delta("dataset: {kind: luna16, root: luna, name: luna}")


def test_the_same_scans_as_a_dataset_are_accepted(luna16):
    checkout, delta = luna16
    names = checkout.plan(delta=delta).names
    assert "collect_targets" in names
    assert "write_phantom" not in names


def test_an_annotation_of_an_unknown_series_is_refused(luna16):
    checkout, delta = luna16
    with (checkout.folder / "luna" / "annotations.csv").open("a") as stream:
        stream.write("1.2.3.unknown,1.0,2.0,3.0,5.0\n")
    text = checkout.refuse(delta)
    assert "luna/annotations.csv, line" in text
    assert "expected a series of the 8 in the subsets, found 1.2.3.unknown (1 such rows)" in text


def test_a_missing_subset_folder_is_refused(luna16):
    checkout, delta = luna16
    shutil.rmtree(checkout.folder / "luna" / "subset3")
    assert "subset3: expected the folder of subset 3, found none" in checkout.refuse(delta)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "scale.detector.num_steps=3"), "expected a key within a section in braces"),
        (("--config", "seed"), "lungpipe: --config seed: expected key=value, found no ="),
        (("final_modle",), "found neither; the nearest rule is final_model"),
        (("--config", "scale={detector: {num_steps: 3}"), "expected YAML with every brace closed"),
        (("results/ci/flagship/report.html", "--configfile", "studies/cii.yaml"), "the nearest is studies/ci.yaml"),
    ],
    ids=["dot", "no-value", "rule", "brace", "no-file"],
)
def test_a_wrong_word_on_the_command_line_is_one_line(fresh, arguments, message):
    text = fresh.snakemake(*arguments, expect=2).text
    assert "Traceback" not in text
    assert text.count(message) == 1
    assert not (fresh.folder / "results").exists()


def test_a_model_for_other_scans_needs_a_detector(fresh):
    text = fresh.snakemake("final_model", delta=fresh.delta("recipe: cnn3d"), expect=1).text
    assert "expected a study that trains a detector, found recipe 'cnn3d'" in text
    assert not (fresh.folder / "results").exists()
