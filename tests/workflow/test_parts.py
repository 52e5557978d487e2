"""Recipes that train only one of their two parts."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from lungpipe.geometry import Grid
from lungpipe.models import load_model
from lungpipe.phantom.metaimage import write_metaimage

DELTA = "recipe: {recipe}\nfolds: [0]\ntracking: {{is_enabled: false}}\n"


def with_recipe(checkout, name, **parts):
    """Write a recipe that is the flagship but for the given parts; return the delta that names it."""
    flagship = yaml.safe_load((checkout.folder / "recipes" / "flagship.yaml").read_text())
    (checkout.folder / "recipes" / f"{name}.yaml").write_text(yaml.safe_dump(flagship | parts))
    return checkout.delta(DELTA.format(recipe=name))


def report_of(checkout, name):
    return json.loads((checkout.dataset / name / "evaluation" / "evaluation.json").read_text())


def test_given_candidates_are_scored_and_no_detector_is_trained(copy):
    answer = copy.snakemake(delta=with_recipe(copy, "given", detector={"kind": "given"}))
    assert {name for name in answer.names if name.endswith(" 0")} == {
        "select_candidates 0",
        "train_scorer 0",
        "score_candidates 0",
    }
    given = pd.read_csv(copy.dataset / "raw" / "candidates_V2.csv").groupby("seriesuid").size()
    scored = pd.read_parquet(copy.dataset / "given" / "fold0" / "scored.parquet")
    assert scored.groupby("series_uid").size().to_dict() == given[sorted(set(scored["series_uid"]))].to_dict()
    assert scored["detector_score"].isna().all()
    assert scored["probability"].between(0, 1).all()
    assert report_of(copy, "given")["num_scans"] == 2


def test_the_candidates_of_another_study_are_scored_by_another_scorer(copy):
    delta = copy.delta("recipe: cnn3d\ncandidates_of: flagship\nfolds: [0]\ntracking: {is_enabled: false}\n")
    answer = copy.snakemake(delta=delta)
    assert {name for name in answer.names if name.endswith(" 0")} == {
        "take_candidates 0",
        "train_scorer 0",
        "score_candidates 0",
    }
    taken, own = (copy.dataset / study / "fold0" for study in ("flagship", "cnn3d"))
    for name in ("candidates", "mined"):
        pd.testing.assert_frame_equal(*(pd.read_parquet(folder / f"{name}.parquet") for folder in (taken, own)))
    scored, before = (pd.read_parquet(folder / "scored.parquet") for folder in (own, taken))
    assert scored["candidate_id"].equals(before["candidate_id"])
    assert not scored["probability"].equals(before["probability"])
    missing = copy.delta("recipe: cnn3d\ncandidates_of: other\nfolds: [0]\n")
    assert "other/fold0/candidates.parquet: expected the candidates of study 'other'" in copy.refuse(missing)


MASKED = "recipe: flagship_mask\nfolds: [0]\ntracking: {is_enabled: false}\n"


def test_a_scorer_that_sees_masks_is_trained_with_the_detector_of_its_fold(copy):
    plan = copy.plan("final_model", delta=copy.delta(MASKED)).jobs
    for rule, folder in (("train_scorer", "fold0"), ("train_final_scorer", "final")):
        [trained] = [job for job in plan if job.rule == rule]
        assert f"results/ci/flagship_mask/{folder}/detector.safetensors" in trained.inputs


@pytest.mark.slow
def test_a_scorer_sees_the_masks_of_the_detector_of_another_study(copy):
    scored = "results/ci/flagship_mask/fold0/scored.parquet"
    answer = copy.snakemake(scored, delta=copy.delta(MASKED + "candidates_of: flagship\n"))
    assert answer.names == {"take_candidates 0", "train_scorer 0", "score_candidates 0"}
    [trained] = [job for job in answer.jobs if job.rule == "train_scorer"]
    assert "results/ci/flagship/fold0/detector.safetensors" in trained.inputs
    assert pd.read_parquet(copy.folder / scored)["probability"].between(0, 1).all()
    folders = [copy.dataset / name / "fold0" for name in ("flagship_mask", "flagship")]
    scorer = load_model(folders[0] / "scorer.safetensors", expect_role="scorer")
    detector = load_model(folders[1] / "detector.safetensors").members[0]
    assert scorer.card.settings["network"]["weights_path"] == "detector.safetensors"
    for name, tensor in detector.state_dict().items():
        assert torch.equal(scorer.members[0].state_dict()[f"intensity.mask.network.{name}"], tensor), name


def test_unchanged_scores_are_judged_and_no_scorer_is_trained(copy):
    answer = copy.snakemake(delta=with_recipe(copy, "unchanged", scorer={"kind": "unchanged"}))
    assert {name for name in answer.names if name.endswith(" 0")} == {
        "train_detector 0",
        "mine_candidates 0",
        "detect_candidates 0",
        "keep_scores 0",
    }
    # thresholds are chosen on the validation subset, and nothing else needs mined candidates
    [mined] = [job for job in answer.jobs if job.rule == "mine_candidates"]
    assert [path for path in mined.inputs if "subset" in path] == ["results/ci/volumes/subset1/manifest.json"]
    scored = pd.read_parquet(copy.dataset / "unchanged" / "fold0" / "scored.parquet")
    assert scored["probability"].equals(scored["detector_score"].rename("probability"))
    report = report_of(copy, "unchanged")
    assert report["malignancy"] is None
    assert any(text.startswith("no_malignancy: ") for text in report["warnings"])


def test_nothing_that_scores_is_refused(copy):
    delta = with_recipe(copy, "nothing", detector={"kind": "given"}, scorer={"kind": "unchanged"})
    assert "expected a trained scorer for given candidates" in copy.refuse(delta)


def test_given_candidates_that_are_not_there_are_refused(fresh):
    root = fresh.folder / "luna"
    grid = Grid((20, 20, 20), (1.5, 1.5, 1.5))
    for subset in range(4):
        (root / f"subset{subset}").mkdir(parents=True)
        write_metaimage(np.zeros(grid.shape_zyx, np.int16), grid, root / f"subset{subset}" / f"1.{subset}.mhd")
    for name in ("annotations.csv", "annotations_excluded.csv"):
        (root / name).write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    delta = "recipe: cnn3d\nfolds: [0]\ndataset: {kind: luna16, root: luna, name: luna}\n"
    expected = "luna/candidates_V2.csv: expected candidates (or candidates.csv) for detector.kind 'given', found no"
    assert expected in fresh.refuse(fresh.delta(delta))


@pytest.mark.parametrize("recipe", ["centernet", "patch48"])
def test_every_recipe_of_the_project_has_a_plan_that_shares_the_volumes(copy, recipe):
    rules = {job.rule for job in copy.plan(delta=copy.delta(f"recipe: {recipe}")).jobs}
    assert {"train_detector", "mine_candidates", "train_scorer", "score_candidates"} <= rules
    assert not rules & {"write_phantom", "prepare_subset", "collect_targets"}
