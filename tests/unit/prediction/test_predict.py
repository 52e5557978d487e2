"""One scan from its file to candidates and masks."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from random_detector import write_random_scorer

import lungpipe
from lungpipe.datasets.read import read_scan
from lungpipe.models import Model, save_model
from lungpipe.models import load_model as read_model
from lungpipe.patients.detect import Search, detect_scan
from lungpipe.prediction.limits import RefusedScanError
from lungpipe.prediction.predict import predict
from lungpipe.prediction.source import make_scan
from lungpipe.prediction.tables import candidate_table
from lungpipe.settings import ScanLimits
from lungpipe.tables import CHARACTERISTICS


@pytest.fixture(scope="module")
def found(chest, model):
    return predict(chest, model=model, threshold=0.0)


def test_candidates_are_those_of_the_detector_ordered_by_probability(found, chest, model):
    detections = detect_scan(model.detector, chest, Search(), say=lambda _: None, on_remark=lambda _: None).detections
    centers = {candidate.center_zyx_mm for candidate in found.candidates}
    assert centers == set(detections[["center_z_mm", "center_y_mm", "center_x_mm"]].itertuples(index=False, name=None))
    probabilities = [candidate.probability for candidate in found.candidates]
    assert len(probabilities) > 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert [candidate.number for candidate in found.candidates] == list(range(1, len(probabilities) + 1))


def test_the_probability_has_the_geometric_mean_of_both_odds(found, model):
    centers = [candidate.center_zyx_mm for candidate in found.candidates]
    scores = model.scorer.score(found.volume, centers)
    for candidate, logit, malignancy in zip(found.candidates, scores.nodule_logits, scores.malignancy, strict=True):
        own = candidate.detector_score
        odds = np.sqrt(np.exp(logit) * own / (1 - own))
        assert candidate.probability == pytest.approx(odds / (1 + odds), abs=1e-6)
        assert candidate.malignancy == pytest.approx(malignancy, abs=1e-6)


def test_without_a_scorer_the_probability_is_the_detectors(chest, model_folder):
    alone = lungpipe.load_model(model_folder / "detector.safetensors", device="cpu", threads=1)
    prediction = predict(chest, model=alone, threshold=0.0)
    assert all(candidate.probability == candidate.detector_score for candidate in prediction.candidates)
    assert {candidate.malignancy for candidate in prediction.candidates} == {None}
    assert prediction.patient.malignancy_max is None
    assert prediction.patient.malignancy_noisy_or is None


def test_the_limits_are_those_of_the_models_card(chest, model_folder, tmp_path):
    detector = read_model(model_folder / "detector.safetensors")
    card = replace(detector.card, limits=ScanLimits(min_slices=1000))
    save_model(tmp_path / "strict.safetensors", Model(card, detector.members))
    strict = lungpipe.load_model(tmp_path / "strict.safetensors", device="cpu", threads=1)
    with pytest.raises(RefusedScanError, match="expected at least 1000 slices"):
        predict(chest, model=strict)


def test_a_scorer_that_rates_gives_nine_expected_ratings(found, chest, model_folder, tmp_path):
    files = [model_folder / "detector.safetensors", write_random_scorer(tmp_path / "a.safetensors", is_rating=True)]
    rating = lungpipe.load_model(files, device="cpu", threads=1)
    prediction = predict(chest, model=rating, threshold=0.0)
    assert {candidate.ratings for candidate in found.candidates} == {None}
    for candidate in prediction.candidates:
        assert list(candidate.ratings) == list(CHARACTERISTICS)
        assert all(1 <= value <= CHARACTERISTICS[name] for name, value in candidate.ratings.items())
    [row] = candidate_table(prediction).head(1).to_dict("records")
    assert row["rating_texture"] == prediction.candidates[0].ratings["texture"]
    assert candidate_table(found)["rating_texture"].isna().all()


def test_every_candidate_is_in_the_nodule_mask_where_it_says(found):
    labels = found.nodule_mask()
    assert labels.shape == found.scan_grid.shape_zyx
    for candidate in found.candidates:
        voxels = np.argwhere(labels == candidate.number)
        assert len(voxels)
        assert candidate.first_slice - 2 <= voxels[:, 0].min() <= voxels[:, 0].max() <= candidate.last_slice
        index = found.scan_grid.to_index(candidate.center_zyx_mm)
        assert candidate.slice_number == round(float(np.clip(index[0], 0, labels.shape[0] - 1))) + 1
        assert candidate.first_slice <= candidate.slice_number <= candidate.last_slice


def test_a_prediction_is_shown_without_its_voxels(found):
    assert "candidates=(Candidate(" in repr(found)
    assert "array(" not in repr(found)


def test_the_volume_is_that_of_the_mask(found):
    for candidate, crop in zip(found.candidates, found.masks, strict=True):
        assert candidate.volume_mm3 == crop.mask.sum() * 8.0
        assert candidate.volume_mm3 > 0


def test_lungs_come_on_the_scans_own_grid(found, chest):
    scan = read_scan(chest)
    lungs = found.lung_mask()
    assert lungs.shape == scan.hu.shape
    assert np.median(scan.hu[lungs > 0]) < -600
    size_ml = np.bincount(lungs.ravel(), minlength=3)[1:] * scan.grid.voxel_volume_mm3 / 1000
    np.testing.assert_allclose(size_ml, [found.lungs_ml["left"], found.lungs_ml["right"]], rtol=0.03)


def test_the_patient_counts_candidates_below_the_threshold_too(found, chest, model):
    cut = found.candidates[2].probability
    few = predict(chest, model=model, threshold=cut)
    assert [candidate.number for candidate in few.candidates] == [1, 2, 3]
    assert few.candidates == found.candidates[:3]
    assert few.patient == found.patient
    risks = np.array([candidate.probability * candidate.malignancy for candidate in found.candidates])
    assert few.patient.malignancy_max == pytest.approx(risks.max())
    assert few.patient.malignancy_noisy_or == pytest.approx(1 - np.prod(1 - risks))


def test_an_array_gives_what_its_file_gives(found, chest, model):
    scan = read_scan(chest)
    array = make_scan(scan.hu, scan.grid.spacing_zyx_mm, scan.grid.origin_zyx_mm, series_uid=scan.series_uid)
    prediction = predict(array, model=model, threshold=0.0)
    assert prediction.candidates == found.candidates


def test_a_flipped_scan_has_its_candidates_at_the_same_world_positions(found, chest, model):
    scan = read_scan(chest)
    depth, height, _ = scan.hu.shape
    flipped = make_scan(
        scan.hu[::-1, ::-1],
        scan.grid.spacing_zyx_mm,
        tuple(scan.grid.to_world((depth - 1, height - 1, 0))),
        ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
        series_uid=scan.series_uid,
    )
    prediction = predict(flipped, model=model, threshold=0.0)
    ours, theirs = (np.array([c.center_zyx_mm for c in p.candidates[:5]]) for p in (found, prediction))
    np.testing.assert_allclose(theirs, ours, atol=0.01)
    assert [c.side for c in prediction.candidates[:5]] == [c.side for c in found.candidates[:5]]
    for mine, other in zip(found.candidates[:5], prediction.candidates[:5], strict=True):
        assert other.slice_number == depth + 1 - mine.slice_number
    ours, theirs = found.nodule_mask(), prediction.nodule_mask()[::-1, ::-1]
    for number in range(1, 6):
        mine, other = ours == number, theirs == number
        assert np.count_nonzero(mine & other) > 0.98 * np.count_nonzero(mine | other)
    # weak candidates of nearly the same probability may change their numbers
    assert np.count_nonzero((ours > 0) != (theirs > 0)) < 0.01 * np.count_nonzero(ours)


def test_the_stages_are_timed_and_told(chest, model):
    told = []
    prediction = predict(chest, model=model, on_stage=told.append)
    assert told == ["read", "resample", "find lungs", "detect", "score", "measure"]
    assert list(prediction.times_s) == told
    assert prediction.peak_memory_mib > 50


def test_a_scan_without_lungs_is_refused_unless_the_whole_volume_is_asked_for(model):
    hu = np.random.default_rng(0).normal(40, 20, (40, 60, 60))
    hu[:, 20:40, 20:40] -= 840
    block = make_scan(hu, (1.0, 1.0, 1.0))
    with pytest.raises(RefusedScanError, match="scan: expected a chest CT") as caught:
        predict(block, model=model)
    assert caught.value.reason == "no_lungs"
    prediction = predict(block, model=model, is_whole=True, threshold=0.0)
    assert prediction.lungs_ml is None
    assert {candidate.side for candidate in prediction.candidates} == {None}
    assert (prediction.lung_mask() == 1).all()


def test_thick_slices_are_refused_before_anything_is_computed(model):
    hu = np.full((30, 60, 60), 40.0)
    hu[:, 20:40, 20:40] = -800
    told = []
    with pytest.raises(RefusedScanError, match="scan: expected slices at most 5 mm apart, found 8 mm"):
        predict(make_scan(hu, (8.0, 1.0, 1.0)), model=model, on_stage=told.append)
    assert told == ["read"]


def test_a_file_that_is_no_scan_is_refused_with_its_name(tmp_path, model):
    (tmp_path / "a.nii").write_bytes(b"no scan")
    with pytest.raises(RefusedScanError, match=r"a\.nii: expected") as caught:
        predict(tmp_path / "a.nii", model=model)
    assert caught.value.reason == "unusable"


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(chest, model, threshold):
    with pytest.raises(ValueError, match="threshold: expected a probability from 0 to 1"):
        predict(chest, model=model, threshold=threshold)


def test_importing_lungpipe_is_light_and_its_names_come_when_asked_for():
    code = (
        "import sys, lungpipe\n"
        "assert not {'torch', 'numpy', 'scipy', 'pydantic'} & set(sys.modules), 'heavy'\n"
        "assert all(hasattr(lungpipe, name) for name in lungpipe.__all__)\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
