"""Cards: what a model saw is refused, and an ensemble saw what any of its members saw."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.models import ModelCard, digest_of
from lungpipe.models.card import MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE, join_cards
from lungpipe.settings import ScanLimits
from lungpipe.settings.recipe import (
    DetectorInference,
    DetectorSampling,
    DetectorTraining,
    TrainedDetector,
    UNetSettings,
)

PART = TrainedDetector(
    network=UNetSettings(channels=(2, 3)),
    sampling=DetectorSampling(),
    training=DetectorTraining(num_steps=5, batch_size=2, learning_rate=0.01),
    inference=DetectorInference(),
)


@dataclass
class Outcome:
    best_step: int
    best_score: float


def make_card(split=None, patient_ids=("P1",), part=PART):
    split = split or Split(3, ("1.1", "1.2"), ("1.5",), ("1.9",))
    outcomes = [Outcome(40, 0.5), Outcome(60, 0.7)]
    return ModelCard.of(
        "detector",
        "small",
        part,
        (1.0, 1.0, 1.0),
        split=split,
        data_digest="d1",
        outcomes=outcomes,
        patient_ids=patient_ids,
    )


def test_a_digest_is_the_sha_256_of_the_uid():
    # echo -n abc | sha256sum
    assert digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_card_says_what_the_model_is_and_saw():
    card = make_card()
    assert (card.role, card.recipe, card.fold, card.data_digest) == ("detector", "small", 3, "d1")
    assert card.training_series == tuple(sorted([digest_of("1.1"), digest_of("1.2")]))
    assert card.validation_series == (digest_of("1.5"),)
    assert card.patients == (digest_of("P1"),)
    assert card.best_steps == (40, 60)
    assert card.figures == {"validation_score": pytest.approx(0.6)}
    assert card.part == PART


def test_a_file_of_weights_is_named_without_its_folder():
    part = SimpleNamespace(model_dump=lambda mode: {"network": {"weights_path": "/data/jane/vgg16.pth", "hidden": 8}})
    assert make_card(part=part).settings == {"network": {"weights_path": "vgg16.pth", "hidden": 8}}


def through_json(card):
    return ModelCard.from_content(json.loads(json.dumps(card.to_content())))


def test_a_card_survives_json():
    card = make_card()
    assert through_json(card) == card
    assert through_json(replace(card, fold=None, validation_series=())).fold is None
    of_thin_slices = replace(card, limits=ScanLimits(thickest_mm=1.5), malignancy_rule="median")
    assert through_json(of_thin_slices) == of_thin_slices


def test_an_older_card_has_the_limits_of_its_time():
    content = make_card().to_content()
    del content["limits"], content["malignancy_rule"]
    card = ModelCard.from_content(content)
    assert (card.limits.thickest_mm, card.limits.min_slices, card.limits.min_lungs_ml) == (5.0, 20, 50.0)
    assert card.malignancy_rule is None


def test_limits_that_no_scan_can_keep_are_refused():
    content = make_card().to_content()
    content["limits"]["thickest_mm"] = -1.0
    with pytest.raises(ValueError, match=r"model card: limits\.thickest_mm: .*greater than 0, found -1\.0"):
        ModelCard.from_content(content)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"training_series": ()}, "expected the digests of its training series, found none"),
        ({"validation_series": ()}, "expected the digests of its validation series, found none"),
        ({"training_series": ("1.2",)}, r"training_series.0: String should match pattern .*, found '1\.2'"),
        ({"patients": "P1"}, "patients: Input should be a valid tuple, found 'P1'"),
        ({"fold": -1}, "fold.*: Input should be greater than or equal to 0, found -1"),
        ({"fold": "first"}, "fold.*: Input should be a valid integer.*found 'first'"),
        ({"spacing_zyx_mm": (1.0, 1.0)}, "spacing_zyx_mm"),
        ({"spacing_zyx_mm": (1.0, 1.0, 0.0)}, "spacing_zyx_mm.2: Input should be greater than 0"),
        ({"best_steps": None}, "best_steps: Input should be a valid tuple, found None"),
        ({"figures": {"validation_score": float("nan")}}, "figures.validation_score: Input should be a finite number"),
        ({"settings": []}, "settings: Input should be a valid (mapping|dictionary)"),
    ],
)
def test_each_wrong_value_of_a_card_is_named(changes, expected):
    with pytest.raises(ValueError, match=rf"^model card: {expected}"):
        ModelCard.from_content({**make_card().to_content(), **changes})


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (Split(2, ("1.1", "1.2"), ("1.5",), ("1.9",)), "expected a model of fold 2, found a model of fold 3"),
        (Split(3, ("1.1", "1.3"), ("1.5",), ("1.9",)), "expected the 2 training series of fold 3 .* lacks 1 of them"),
        (Split(3, ("1.1", "1.2"), ("1.6",), ("1.9",)), "expected the 1 validation series of fold 3 .* lacks 1 of them"),
    ],
)
def test_a_model_of_other_data_is_refused(split, expected):
    with pytest.raises(LeakError, match=expected):
        make_card().expect_split(split)


def test_a_model_of_the_study_may_have_learned_from_more():
    make_card().expect_split(Split(3, ("1.1", "1.2"), ("1.5",), ("1.9",)))
    make_card().expect_split(Split(3, ("1.2",), ("1.5",), ("1.9",)))


@pytest.mark.parametrize(("uids", "first"), [(["1.9", "1.2"], "1.2"), (["1.5"], "1.5"), (["1.5", "1.1"], "1.1")])
def test_series_of_training_or_validation_are_refused(uids, first):
    expected = rf"detector of recipe small: expected series .* found {len(set(uids) - {'1.9'})} .* first {first}$"
    with pytest.raises(LeakError, match=expected):
        make_card().refuse_seen(uids)


def test_patients_are_refused_where_their_series_are_new():
    with pytest.raises(LeakError, match=r"expected patients that it never saw, found 1 .* first P1"):
        make_card().refuse_seen(["1.9"], ["P0", "P1"])
    make_card().refuse_seen(["1.9", "1.99", "P1"], ["P0", "1.1"])


def test_another_fold_is_refused():
    make_card().expect_fold(3)
    with pytest.raises(LeakError, match="expected a model of fold 4, found a model of fold 3"):
        make_card().expect_fold(4)
    with pytest.raises(LeakError, match="expected a model of fold 0, found a model without a fold"):
        replace(make_card(), fold=None).expect_fold(0)


def test_an_ensemble_saw_what_any_member_saw():
    one = make_card()
    two = make_card(Split(5, ("1.2", "1.3"), ("1.7",), ("1.5",)), ["P2"])
    joined = join_cards([one, two])
    for uid in ("1.1", "1.2", "1.3", "1.5", "1.7"):
        with pytest.raises(LeakError):
            joined.refuse_seen([uid])
    for patient in ("P1", "P2"):
        with pytest.raises(LeakError):
            joined.refuse_seen([], [patient])
    joined.refuse_seen(["1.9"], ["P3"])
    assert (joined.fold, joined.best_steps, joined.figures) == (None, (40, 60, 40, 60), {})
    assert join_cards([one]) == one
    assert join_cards([one, one]).fold == 3
    assert join_cards([one, one]).data_digest == "d1"
    assert join_cards([one, replace(two, data_digest="d2")]).data_digest not in ("d1", "d2")


@pytest.mark.parametrize(
    "changes",
    [{"role": "scorer"}, {"recipe": "other"}, {"settings": {}}, {"spacing_zyx_mm": (2.0, 1.0, 1.0)}],
    ids=lambda changes: next(iter(changes)),
)
def test_models_that_do_not_belong_together_are_refused(changes):
    with pytest.raises(ValueError, match=f"expected one {next(iter(changes))} in an ensemble"):
        join_cards([make_card(), replace(make_card(), **changes)])


def test_an_ensemble_of_folds_has_the_mean_calibration_if_every_model_has_one():
    names = (MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE)
    one = replace(make_card(), figures={"validation_score": 0.5, **dict(zip(names, (1.0, 2.0), strict=True))})
    two = replace(make_card(), figures=dict(zip(names, (-2.0, 3.0), strict=True)))
    assert join_cards([one, two]).figures == dict(zip(names, (-0.5, 2.5), strict=True))
    assert join_cards([one, replace(two, figures={MALIGNANCY_SLOPE: 1.0})]).figures == {}
