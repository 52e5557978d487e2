"""A published detector's submission on all 888 scans, judged against LUNA16's own label files."""

import os
from pathlib import Path

import numpy as np
import pytest

from lungpipe.evaluation.comparison import compare_submissions
from lungpipe.evaluation.evaluate import evaluate
from lungpipe.evaluation.froc import cpm, froc_curve, sensitivity_at
from lungpipe.evaluation.matching import match
from lungpipe.evaluation.protocol import protocol_warnings
from lungpipe.evaluation.submission import read_findings, read_series_list, read_submission

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def luna16():
    root = os.environ.get("LUNGPIPE_SHARED")
    if not root or not (Path(root) / "luna16" / "annotations.csv").is_file():
        pytest.skip("LUNGPIPE_SHARED does not name a folder with luna16/annotations.csv")
    folder = Path(root) / "luna16"
    return {
        "marks": read_submission(folder / "submissions" / "deeplung_dpn26.csv"),
        "nodules": read_findings(folder / "annotations.csv"),
        "exclusions": read_findings(folder / "annotations_excluded.csv"),
        "series_uids": read_series_list(folder / "seriesuids.csv"),
    }


def test_the_label_files_are_the_official_ones(luna16):
    assert {name: len(table) for name, table in luna16.items()} == {
        "marks": 55_677,
        "nodules": 1186,
        "exclusions": 35_192,
        "series_uids": 888,
    }


def test_every_count_is_exact(luna16):
    assert match(**luna16).counts() == {
        "num_scans": 888,
        "num_nodules": 1186,
        "num_candidates": 52_708,
        "true_positives": 1136,
        "false_positives": 46_078,
        "false_negatives": 50,
        "ignored_on_excluded": 5308,
        "ignored_double": 186,
    }


def test_sensitivities_and_cpm_are_the_published_ones(luna16):
    froc = froc_curve(match(**luna16))
    published = [0.6922, 0.7690, 0.8238, 0.8651, 0.8929, 0.9174, 0.9334]
    assert sensitivity_at(froc).round(4).tolist() == published
    assert cpm(froc) == pytest.approx(0.84197, abs=1e-5)


def test_without_the_exclusion_list_the_same_file_loses_a_tenth(luna16):
    assert cpm(froc_curve(match(**luna16 | {"exclusions": None}))) == pytest.approx(0.7422, abs=5e-5)


def codes(luna16, marks):
    matches = match(**luna16 | {"marks": marks})
    found = protocol_warnings(marks, luna16["nodules"], luna16["exclusions"], matches)
    return {text.split(":")[0] for text in found}


def test_the_one_scan_without_marks_is_the_only_thing_to_warn_of(luna16):
    assert codes(luna16, luna16["marks"]) == {"scans_without_predictions"}


def test_the_submission_is_recognised_as_mirrored_swapped_or_in_voxels(luna16):
    marks = luna16["marks"]
    mirrored = marks.assign(center_x_mm=-marks["center_x_mm"], center_y_mm=-marks["center_y_mm"])
    swapped = marks.assign(center_x_mm=marks["center_z_mm"], center_z_mm=marks["center_x_mm"])
    columns = ["center_z_mm", "center_y_mm", "center_x_mm"]
    corner = marks.groupby("series_uid")[columns].transform("min") - 20
    voxels = marks.assign(**{name: (marks[name] - corner[name]) / 0.7 for name in columns})
    assert "ras_coordinates" in codes(luna16, mirrored)
    assert "axis_order" in codes(luna16, swapped)
    assert "voxel_coordinates" in codes(luna16, voxels)


def test_the_interval_of_the_cpm_is_reproducible_and_plausible(luna16):
    report = evaluate(**luna16, num_bootstraps=1000, seed=0).summary
    assert report["cpm_ci95"] == pytest.approx([0.8116, 0.8679], abs=5e-5)
    assert evaluate(**luna16, num_bootstraps=1000, seed=0).summary["cpm_ci95"] == report["cpm_ci95"]
    assert sum(part["num_hit"] for part in report["strata"]["diameter"]) == 1136


def test_losing_one_mark_in_five_is_significantly_worse(luna16):
    rng = np.random.default_rng(0)
    thinned = luna16["marks"][rng.random(55_677) > 0.2]
    whole, part = match(**luna16), match(**luna16 | {"marks": thinned})
    difference = compare_submissions(whole, part, num_bootstraps=500, seed=0)["cpm_difference"]
    assert difference["high"] < 0
    assert difference["p_value"] < 0.01
