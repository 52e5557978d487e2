"""The model of a fold: what it is trained on, and what its card says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lungpipe.datasets.leaks import LeakError
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.models import digest_of, load_model
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.services.provenance import source_tree
from lungpipe.settings.recipe import (
    DetectorInference,
    DetectorSampling,
    DetectorTraining,
    RatingNetSettings,
    ResNetSettings,
    ScorerInference,
    ScorerSampling,
    ScorerTraining,
    TrainedDetector,
    TrainedScorer,
    UNetSettings,
)
from lungpipe.settings.recipe.scorer import RatingObjectiveSettings
from lungpipe.tables import (
    CANDIDATES,
    EXCLUSIONS,
    HISTORY,
    NODULES,
    POINTS,
    RATING_COLUMNS,
    RATINGS,
    SERIES,
    read_table,
    write_table,
)
from lungpipe.training.detector import train_fold_detector
from lungpipe.training.fold_choices import FoldChoices
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob
from lungpipe.training.scorer import read_findings, train_fold_scorer

LENGTH = {"num_steps": 2, "batch_size": 4, "num_checks": 1, "learning_rate": 0.01}
DETECTOR = TrainedDetector(
    network=UNetSettings(channels=(4, 6), stem_stride=2),
    sampling=DetectorSampling(patch_size_vox=16, max_offset_vox=2, lung_points_per_scan=2),
    training=DetectorTraining(**LENGTH),
    inference=DetectorInference(),
)
ANNOTATED = DETECTOR.model_copy(update={"sampling": DETECTOR.sampling.model_copy(update={"mask": "annotated"})})
SCORER = TrainedScorer(
    network=ResNetSettings(channels=(3, 4)),
    sampling=ScorerSampling(patch_size_vox=12, max_offset_vox=1, lung_points_per_scan=2),
    training=ScorerTraining(**LENGTH, num_members=2),
    inference=ScorerInference(),
)
CALIBRATION = {"malignancy_intercept": 0.2, "malignancy_slope": 1.5}
SUBSETS = {"1.0": 0, "1.1": 1, "1.2": 2, "1.3": 3, "1.4": 0}
"""1.4 is a second scan of the patient of 1.2."""


def ratings_of(nodules):
    """Ratings of malignancy and of a texture that four readers agree about; the other characteristics are unrated."""
    table = nodules[["nodule_id", "malignancy_ratings"]].assign(texture_ratings="5;5;5;5")
    return RATINGS.conform(table.reindex(columns=["nodule_id", *RATING_COLUMNS.values()]))


@pytest.fixture
def folder(tmp_path, make_nodules, make_exclusions):
    rows = [(uid, "p2" if uid == "1.4" else f"p{subset}", subset) for uid, subset in SUBSETS.items()]
    nodules = make_nodules(*((uid, (10.0, 12.0, 11.0), 7.0, "5;4" if uid == "1.3" else "1;1") for uid in SUBSETS))
    mined = [(f"{uid}#c0", uid, 4.0, 5.0, 6.0, 5.0, 0.4, 1) for uid in SUBSETS]
    tables = {
        "series": (pd.DataFrame(rows, columns=list(SERIES.columns)), SERIES),
        "nodules": (nodules, NODULES),
        "ratings": (ratings_of(nodules), RATINGS),
        "exclusions": (make_exclusions(), EXCLUSIONS),
        "mined": (pd.DataFrame(mined, columns=list(CANDIDATES.columns)), CANDIDATES),
    }
    for name, (table, contract) in tables.items():
        write_table(table, tmp_path / f"{name}.parquet", contract)
    return tmp_path


@pytest.fixture
def paths(folder):
    return {name: str(folder / f"{name}.parquet") for name in ("series", "nodules", "ratings", "exclusions", "mined")}


@pytest.fixture
def volumes(write_store):
    grid = Grid((20, 24, 22))
    rng = np.random.default_rng(0)
    stores = {}
    for uid in SUBSETS:
        hu = rng.normal(-850, 50, grid.shape_zyx)
        hu[sphere_mask(grid, (10.0, 12.0, 11.0), 7.0)] = 50
        stores[uid] = write_store(uid, hu)
    return FoldVolumes(stores, (1.0, 1.0, 1.0), "d1")


def job(cpu, logged=None):
    return TrainingJob(cpu, 7, lambda step, _: logged.append(step) if logged is not None else None, 1, num_threads=1)


def train(part, paths, volumes, job):
    tables = FoldTables.read(paths, 1, 4)
    if part is DETECTOR:
        return train_fold_detector(part, tables, volumes, job, recipe="small")
    findings = read_findings(tables, "mean_gt_3", ratings=Path(paths["ratings"]), mined=Path(paths["mined"]))
    return train_fold_scorer(part, tables, volumes, job, findings=findings, recipe="small")


@pytest.mark.parametrize("part", [DETECTOR, SCORER], ids=["detector", "scorer"])
def test_the_card_says_what_the_model_saw(cpu, paths, volumes, tmp_path, part):
    logged = []
    trained = train(part, paths, volumes, job(cpu, logged))
    names = {"model": "model.safetensors", "history": "history.parquet", "points": "points.parquet"}
    trained.write({name: str(tmp_path / file) for name, file in names.items()})
    pd.testing.assert_frame_equal(read_table(tmp_path / "history.parquet", HISTORY), trained.history)
    pd.testing.assert_frame_equal(read_table(tmp_path / "points.parquet", POINTS), trained.points)
    card = load_model(tmp_path / "model.safetensors").card
    # fold 1 of 4 tests subset 1 and validates on subset 2, whose patient has another scan in subset 0
    assert set(card.training_series) == {digest_of("1.0"), digest_of("1.3")}
    assert set(card.validation_series) == {digest_of("1.2")}
    assert set(card.patients) == {digest_of(patient) for patient in ("p0", "p2", "p3")}
    assert (card.fold, card.recipe, card.data_digest) == (1, "small", "d1")
    assert card.part == part
    card.refuse_seen(["1.1"], ["p1"])
    with pytest.raises(LeakError, match=r"series that it never saw, found 1 .* the first 1\.3"):
        card.refuse_seen(["1.1", "1.3"])
    assert logged == [2 * (member + 1) for member in range(part.training.num_members)]
    assert sorted(set(trained.history["step"])) == logged
    assert sorted(set(trained.points["series_uid"])) == ["1.0", "1.2", "1.3"]


@pytest.mark.parametrize("part", [DETECTOR, SCORER], ids=["detector", "scorer"])
def test_a_model_of_all_series_keeps_the_step_that_the_folds_chose(cpu, paths, volumes, tmp_path, part):
    part = part.model_copy(update={"training": part.training.model_copy(update={"num_steps": 3, "num_checks": 3})})
    chosen = replace(job(cpu), fold=None, choices=FoldChoices(2, CALIBRATION))
    tables = FoldTables.read(paths, None, 4)
    if isinstance(part, TrainedDetector):
        trained = train_fold_detector(part, tables, volumes, chosen, recipe="small")
    else:
        findings = read_findings(tables, "mean_gt_3", ratings=Path(paths["ratings"]), mined=Path(paths["mined"]))
        trained = train_fold_scorer(part, tables, volumes, chosen, findings=findings, recipe="small")
    card = trained.model.card
    assert set(card.training_series) == {digest_of(uid) for uid in SUBSETS}
    assert (card.fold, card.validation_series) == (None, ())
    assert card.figures == ({} if card.role == "detector" else CALIBRATION)
    assert card.best_steps == (2,) * part.training.num_members
    assert set(card.patients) == {digest_of(patient) for patient in ("p0", "p1", "p2", "p3")}
    assert sorted(set(trained.points["series_uid"])) == sorted(SUBSETS)
    # no row of a series that is measured, too
    assert len(trained.points) == len(trained.points.drop_duplicates())
    with pytest.raises(LeakError, match="series that it never saw, found 1"):
        card.refuse_seen(["1.1"])


def test_a_scorer_learns_from_mined_candidates_and_labels(cpu, paths, volumes):
    trained = train(SCORER, paths, volumes, job(cpu))
    kinds = trained.points.groupby("kind").size()
    assert kinds.to_dict() == {"nodule": 3, "candidate": 3, "lung": 6}
    nodules = trained.points[trained.points["kind"] == "nodule"].set_index("series_uid")
    assert nodules["malignancy"].to_dict() == {"1.0": 0.0, "1.2": 0.0, "1.3": 1.0}


def test_a_scorer_may_learn_the_ratings_without_a_detector(cpu, paths, volumes):
    update = {"network": RatingNetSettings(channels=(3, 4))}
    update["training"] = SCORER.training.model_copy(update={"objective": RatingObjectiveSettings()})
    part = SCORER.model_copy(update=update)
    tables = FoldTables.read(paths, 1, 4)
    findings = read_findings(tables, "mean_gt_3", ratings=Path(paths["ratings"]))
    trained = train_fold_scorer(part, tables, volumes, job(cpu), findings=findings, recipe="small")
    assert set(trained.points["kind"]) == {"nodule", "lung"}
    entropy = trained.history.loc[trained.history["metric"] == "validation_ratings_entropy", "value"]
    # of nine characteristics malignancy and texture are rated, on scales of 5
    assert (entropy.between(0.5 * 2 / 9 * np.log(5), 1.5 * 2 / 9 * np.log(5))).all()
    other = part.model_copy(update={"training": weighted(part.training)})
    again = train_fold_scorer(other, tables, volumes, job(cpu), findings=findings, recipe="small")
    # two of four readers rated
    weights = again.points[again.points["kind"] == "nodule"]["weight"]
    assert weights.tolist() == [0.5] * 3
    assert not again.history["value"].equals(trained.history["value"])


def weighted(training):
    return training.model_copy(update={"objective": RatingObjectiveSettings(has_consensus_weights=True)})


def test_a_scan_without_a_volume_is_left_out(cpu, paths, volumes):
    stores = {uid: path for uid, path in volumes.stores.items() if uid != "1.0"}
    fewer = FoldVolumes(stores, volumes.spacing_zyx_mm, "d2")
    trained = train(DETECTOR, paths, fewer, job(cpu))
    assert sorted(set(trained.points["series_uid"])) == ["1.2", "1.3"]


def test_a_scorers_nodules_are_labelled_by_the_rule(paths):
    tables = FoldTables.read(paths, 1, 4)
    nodules = tables.nodules.assign(malignancy_ratings=["4;4;1;1", None, "3;4", "5;5;1;1", "1"])
    named = replace(tables, nodules=nodules)
    by_mean, by_two = (
        read_findings(named, rule, ratings=Path(paths["ratings"]), mined=Path(paths["mined"]))
        for rule in ("mean_gt_3", "at_least_two_readers_ge_4")
    )
    assert by_mean.malignancy.index.tolist() == nodules["nodule_id"].tolist()
    np.testing.assert_array_equal(by_mean.malignancy, [0, np.nan, 1, 0, 0])
    np.testing.assert_array_equal(by_two.malignancy, [1, np.nan, 0, 1, np.nan])
    assert by_mean.mined["candidate_id"].tolist() == [f"{uid}#c0" for uid in SUBSETS]


def test_neither_role_is_trained_by_the_others_code():
    entries = {
        "detector": ["detector:train_fold_detector"],
        "scorer": ["scorer:train_fold_scorer", "scorer:read_findings"],
    }
    reached = {
        role: {name for _, name in source_tree().closure([f"lungpipe.training.{entry}" for entry in names])}
        for role, names in entries.items()
    }
    assert {"train_detector", "detector_points", "train_fold"} <= reached["detector"]
    assert {"train_scorer", "scorer_points", "malignancy_labels", "train_fold"} <= reached["scorer"]
    assert not reached["detector"] & {"train_scorer", "scorer_points", "malignancy_labels"}
    assert not reached["scorer"] & {"train_detector", "detector_points", "with_consensus_weights"}


@pytest.fixture
def train_on_masks(cpu, paths, volumes, tmp_path):
    """Train a detector on masks: balls of that diameter (mm) in both learning series; returns history and lines."""

    def train(diameter_mm):
        grid, said = Grid((20, 24, 22)), []
        files = [tmp_path / f"{uid}.mhd" for uid in ("1.0", "1.2", "1.3")]
        for file in files:
            write_metaimage(sphere_mask(grid, (10.0, 12.0, 11.0), diameter_mm).astype(np.uint8), grid, file)
        run, tables = replace(job(cpu), say=said.append), FoldTables.read(paths, 1, 4)
        trained = train_fold_detector(ANNOTATED, tables, volumes, run, recipe="small", mask_files=files)
        return trained.history, said

    return train


def test_a_detector_learns_what_annotated_masks_show(cpu, paths, volumes, train_on_masks):
    painted = train(DETECTOR, paths, volumes, job(cpu)).history
    same, said = train_on_masks(7.0)
    assert said.count("3 series have nodule masks; all other nodules are painted as balls") == 1
    # masks that show the painted balls change nothing, larger ones every loss
    pd.testing.assert_frame_equal(same, painted)
    larger, _ = train_on_masks(11.0)
    losses = larger["metric"].str.endswith("loss")
    assert losses.sum() >= 2
    assert (larger.loc[losses, "value"] != painted.loc[losses, "value"]).all()


def test_a_recipe_of_annotated_masks_needs_masks(cpu, paths, volumes):
    with pytest.raises(ValueError, match=r"sampling\.mask: expected 'sphere' for a dataset without nodule masks"):
        train_fold_detector(ANNOTATED, FoldTables.read(paths, 1, 4), volumes, job(cpu), recipe="small")
