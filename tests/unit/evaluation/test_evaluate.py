import json

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.comparison import compare_submissions
from lungpipe.evaluation.evaluate import BAND_RATES, evaluate, write_evaluation
from lungpipe.evaluation.froc import FP_RATES, RATE_NAMES, interpolate, sensitivity_at
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.result_tables import MATCHES, froc_table, plain
from lungpipe.tables import read_table
from lungpipe.tables.errors import InputError

SCANS = [f"s{i}" for i in range(20)]
KEYS = {
    "cpm",
    "cpm_ci95",
    "sensitivity",
    "sensitivity_ci95",
    "num_scans",
    "num_nodules",
    "num_candidates",
    "true_positives",
    "false_positives",
    "false_negatives",
    "ignored_on_excluded",
    "ignored_double",
    "warnings",
}


@pytest.fixture
def case(marks, findings):
    """Twenty scans, a nodule in each; three of four are found, each scan has two false positives."""
    rng = np.random.default_rng(0)
    rows = [(scan, -90 - 9 * k, 0, 0, rng.uniform(0, 0.8)) for scan in SCANS for k in range(2)]
    rows += [(scan, 1, 0, 0, rng.uniform(0.2, 1)) for i, scan in enumerate(SCANS) if i % 4]
    nodules = findings(*[(scan, 0, 0, 0, 5 + i) for i, scan in enumerate(SCANS)])
    return marks(*rows), nodules, findings(("s0", -90, 0, 0, -1)), SCANS


def test_the_report_has_its_keys_and_adds_up(case):
    report = evaluate(*case, num_bootstraps=50, seed=1).summary
    assert set(report) >= KEYS
    assert tuple(report["sensitivity"]) == RATE_NAMES == ("0.125", "0.25", "0.5", "1", "2", "4", "8")
    assert report["cpm"] == pytest.approx(np.mean(list(report["sensitivity"].values())))
    assert report["sensitivity"]["8"] == 0.75
    assert report["cpm_ci95"][0] <= report["cpm"] <= report["cpm_ci95"][1]
    assert all(report["sensitivity_ci95"][rate][0] <= report["sensitivity"][rate] + 1e-9 for rate in RATE_NAMES)
    assert (report["true_positives"], report["false_positives"], report["ignored_on_excluded"]) == (15, 39, 1)
    assert report["warnings"] == []
    assert report["localisation"]["mean_mm"] == 1.0


def test_the_report_is_plain_data_and_the_seed_decides_it(case):
    first, again, other = (evaluate(*case, num_bootstraps=50, seed=seed).summary for seed in (1, 1, 2))
    assert json.loads(json.dumps(first, allow_nan=False)) == first == again
    assert first["cpm"] == other["cpm"]
    assert first["cpm_ci95"] != other["cpm_ci95"]


def test_the_band_contains_the_official_intervals(case):
    evaluation = evaluate(*case, num_bootstraps=50, seed=1)
    assert BAND_RATES[::8] == FP_RATES
    assert evaluation.band.shape == (49, 2)
    assert evaluation.band[::8].tolist() == list(evaluation.summary["sensitivity_ci95"].values())


def test_strata_appear_with_what_the_tables_know(case):
    marks, nodules, exclusions, scans = case
    known = nodules.assign(malignancy_ratings="4;5", texture_ratings="5;5")
    report = evaluate(
        marks, known, exclusions, scans, num_bootstraps=5, seed=0, subset_of=dict.fromkeys(scans, "3")
    ).summary
    assert set(report["strata"]) == {"diameter", "readers", "texture", "subset"}
    assert set(evaluate(*case, num_bootstraps=5, seed=0).summary["strata"]) == {"diameter"}
    assert sum(part["num_nodules"] for part in report["strata"]["diameter"]) == 20
    assert report["strata"]["texture"][0]["name"] == "solid"
    assert report["strata"]["subset"][0]["cpm"] == pytest.approx(report["cpm"])


def test_without_a_list_the_named_scans_are_judged_under_a_warning(case):
    marks, nodules, exclusions, _ = case
    report = evaluate(marks, nodules, exclusions, None, num_bootstraps=5, seed=0).summary
    assert report["num_scans"] == 20
    assert [text.split(":")[0] for text in report["warnings"]] == ["missing_series_list"]


def test_figures_that_are_not_defined_are_none_and_said(case):
    marks, nodules, exclusions, scans = case
    report = evaluate(marks, nodules.iloc[:0], exclusions, scans, num_bootstraps=5, seed=0).summary
    assert (report["cpm"], report["cpm_ci95"], report["num_nodules"]) == (None, [None, None], 0)
    assert any(text.startswith("no_nodules") for text in report["warnings"])


def test_the_files_hold_the_verdict(case, tmp_path):
    evaluation = evaluate(*case, num_bootstraps=20, seed=1)
    write_evaluation(evaluation, tmp_path / "deep")
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {
        "evaluation.json",
        "froc.csv",
        "froc_band.csv",
        "matches.parquet",
    }
    assert json.loads((tmp_path / "deep" / "evaluation.json").read_text()) == evaluation.summary
    curve = pd.read_csv(tmp_path / "deep" / "froc.csv")
    read_back = interpolate(curve["fp_per_scan"].to_numpy(), curve["sensitivity"].to_numpy(), np.array(FP_RATES))
    np.testing.assert_allclose(read_back, sensitivity_at(evaluation.froc), atol=1e-12)


def test_the_matches_say_what_happened_to_every_mark_and_nodule(case, tmp_path):
    write_evaluation(evaluate(*case, num_bootstraps=5, seed=1), tmp_path)
    table = read_table(tmp_path / "matches.parquet", MATCHES)
    counts = table.groupby(["kind", "fate"]).size().to_dict()
    assert counts == {
        ("mark", "false_positive"): 39,
        ("mark", "hit"): 15,
        ("mark", "ignored_on_excluded"): 1,
        ("nodule", "hit"): 15,
        ("nodule", "miss"): 5,
    }
    hit = table[(table["kind"] == "nodule") & (table["fate"] == "hit")].iloc[0]
    partner = table[(table["kind"] == "mark") & (table["row"] == hit["partner_row"])].iloc[0]
    assert partner["series_uid"] == hit["series_uid"]
    assert (partner["partner_row"], partner["probability"]) == (hit["row"], hit["probability"])
    assert hit["distance_mm"] == 1.0


def test_the_written_curve_keeps_only_corners_and_changes_nothing(case):
    froc = evaluate(*case, num_bootstraps=1, seed=0).froc
    corners = froc_table(froc)
    assert len(corners) < len(froc.fp_per_scan)
    rates = np.linspace(0, 3, 500)
    thinned = interpolate(corners["fp_per_scan"].to_numpy(), corners["sensitivity"].to_numpy(), rates)
    np.testing.assert_allclose(thinned, sensitivity_at(froc, rates), atol=1e-12)


def test_a_better_submission_is_found_better_and_the_sign_is_b_minus_a(case):
    marks, nodules, exclusions, scans = case
    worse = match(marks[marks["center_x_mm"] < 0], nodules, exclusions, scans)
    report = compare_submissions(worse, match(*case), num_bootstraps=200, seed=0)
    difference = report["cpm_difference"]
    assert difference["difference"] == pytest.approx(report["cpm_b"] - report["cpm_a"])
    assert difference["low"] > 0
    assert difference["p_value"] < 0.05
    assert report["sensitivity_difference"]["8"]["difference"] == 0.75
    assert report["cpm_ci95_a"] == [0.0, 0.0]


def test_a_submission_equals_itself(case):
    report = compare_submissions(match(*case), match(*case), num_bootstraps=50, seed=0)
    assert report["cpm_difference"] == {"difference": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}


def test_only_the_same_scans_are_compared(case):
    marks, nodules, exclusions, scans = case
    with pytest.raises(InputError, match="expected the same scans"):
        compare_submissions(match(*case), match(marks, nodules, exclusions, scans[::-1]), num_bootstraps=1, seed=0)


def test_plain_data_has_no_numpy_and_nothing_that_is_not_finite():
    found = plain({"a": np.float64(1.5), "b": np.array([np.nan, np.inf, 2.0]), "c": (np.int64(3), "x", None, True)})
    assert found == {"a": 1.5, "b": [None, None, 2.0], "c": [3, "x", None, True]}
    assert type(found["c"][0]) is int
