"""The model of all series: what it learns from, and that a study's own run does not train it."""

import re

import pytest

DELTA = "folds: [0, 2]"


@pytest.fixture(scope="module")
def plans(tmp_path_factory, check_out_into):
    """The jobs of a study, and those of its final model, by name."""
    checkout = check_out_into(tmp_path_factory.mktemp("final") / "study")
    own, final = (checkout.plan(*target, delta=checkout.delta(DELTA)) for target in ((), ("final_model",)))
    return {job.name: job for job in own.jobs}, {job.name: job for job in final.jobs}


def subsets_of(job):
    return {int(number) for path in job.inputs for number in re.findall(r"/subset(\d+)/manifest", path)}


def folds_of(job):
    return {int(number) for path in job.inputs for number in re.findall(r"/fold(\d+)/", path)}


def test_a_study_does_not_train_its_final_model(plans):
    own, final = plans
    added = {"train_final_detector", "mine_final_candidates", "train_final_scorer", "package_model"}
    assert set(final) - set(own) - {"final_model"} == added
    assert set(own) - set(final) <= {
        "account_scans",
        "draw_figures",
        "write_report",
        *(f"check_subset {k}" for k in range(4)),
    }


def test_it_learns_from_all_subsets_and_from_what_the_folds_found_unseen(plans):
    _, jobs = plans
    for name in ("train_final_detector", "train_final_scorer"):
        assert subsets_of(jobs[name]) == {0, 1, 2, 3}
        assert folds_of(jobs[name]) == {0, 2}
    mined = jobs["mine_final_candidates"]
    # subsets 0 and 2 are searched by the folds that never saw them
    assert subsets_of(mined) == {1, 3}
    assert [path for path in mined.inputs if "/fold" in path] == [
        f"results/ci/flagship/fold{fold}/candidates.parquet" for fold in (0, 2)
    ]


def test_the_folder_has_the_models_name(plans):
    _, jobs = plans
    folder = "results/ci/flagship/final/lungpipe-model"
    assert set(jobs["package_model"].outputs) == {
        f"{folder}/{name}" for name in ("MODEL_CARD.md", "detector.safetensors", "scorer.safetensors")
    }
