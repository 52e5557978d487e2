"""Each slip of protocol is planted once and reported by its code; a clean submission is met with silence."""

import pandas as pd
import pytest

from lungpipe.evaluation.matching import match
from lungpipe.evaluation.protocol import protocol_warnings

SCANS = [f"s{i}" for i in range(12)]


@pytest.fixture
def clean(marks, findings):
    nodules = findings(*[(scan, -60 - i, -80, -150 + 9 * i, 8) for i, scan in enumerate(SCANS)])
    rows = [(scan, -60 - i, -79, -150 + 9 * i, 0.9 - i / 100) for i, scan in enumerate(SCANS)]
    return {"marks": marks(*rows), "nodules": nodules, "exclusions": findings()}


def warned(case, series=SCANS):
    matches = match(case["marks"], case["nodules"], case["exclusions"], series)
    found = protocol_warnings(case["marks"], case["nodules"], case["exclusions"], matches)
    return {text.split(":")[0]: text for text in found}


def test_a_clean_submission_gets_no_warning(clean):
    assert warned(clean) == {}


def test_scans_without_predictions_are_counted_and_named(clean):
    found = warned(clean | {"marks": clean["marks"].iloc[1:]})
    assert set(found) == {"scans_without_predictions"}
    assert "1 of 12 listed scans" in found["scans_without_predictions"]
    assert "s0" in found["scans_without_predictions"]


def test_a_submission_of_a_part_of_the_scans_is_asked_for_its_list(clean):
    found = warned(clean | {"marks": clean["marks"].iloc[:6]})
    assert "covers 6 scans, the list 12" in found["fewer_scans"]
    assert "s6, s7, s8 and 3 more" in found["scans_without_predictions"]


def test_unknown_series_are_left_out_loudly(clean):
    renamed = clean["marks"].replace({"series_uid": {"s3": "s3.1"}})
    found = warned(clean | {"marks": renamed})
    assert "1 marks of 1 series that are not in the list" in found["unknown_series"]
    assert "s3.1" in found["unknown_series"]


def test_annotated_scans_outside_the_list_are_left_out_loudly(clean):
    found = warned(clean | {"marks": clean["marks"].iloc[:11]}, SCANS[:11])
    assert "1 nodules of 1 series" in found["unknown_series"]


def test_a_list_of_many_more_scans_than_the_findings_name_is_said(clean, findings):
    case = clean | {"nodules": clean["nodules"].iloc[:2], "marks": clean["marks"]}
    assert "name 2 of 12 listed scans" in warned(case)["few_annotated_scans"]
    # excluded findings count, too: an annotated scan need not have a nodule
    assert "few_annotated_scans" not in warned(case | {"exclusions": findings(("s5", 0, 0, 0, -1))})


def test_no_nodule_at_all_is_said(clean):
    assert "no_nodules" in warned(clean | {"nodules": clean["nodules"].iloc[:0]})


def test_a_missing_exclusion_list_is_no_official_result(clean):
    assert "not an official LUNA16 result" in warned(clean | {"exclusions": None})["missing_exclusions"]


def test_probabilities_outside_zero_to_one_are_reported_with_their_range(clean):
    logits = clean["marks"].assign(probability=[-3.5, *[2.0] * 10, 0.5])
    assert (
        "11 probabilities lie outside [0, 1], from -3.5 to 2" in warned(clean | {"marks": logits})["probability_range"]
    )


def test_constant_scores_are_reported(clean):
    assert "0.5" in warned(clean | {"marks": clean["marks"].assign(probability=0.5)})["constant_scores"]


def test_duplicate_rows_are_counted(clean, marks):
    doubled = clean["marks"].iloc[[0, 1, 2, 1, *range(3, 12)]].reset_index(drop=True)
    assert "1 marks repeat" in warned(clean | {"marks": doubled})["duplicate_rows"]
    assert "first such row is 4" in warned(clean | {"marks": doubled})["duplicate_rows"]


@pytest.mark.parametrize(("tied", "expected"), [(5, True), (1, False)])
def test_ties_at_the_cut_are_reported_with_what_they_cost(clean, marks, tied, expected):
    # 98 higher marks, then five of one probability across the cut; or 104 different ones
    rows = [("s0", 200 + i, 0, 0, 0.5 + i / 1000) for i in range(98 if tied > 1 else 104)]
    rows += [("s0", 400 + i, 0, 0, 0.1) for i in range(tied)]
    rows += list(
        clean["marks"][["series_uid", "center_x_mm", "center_y_mm", "center_z_mm", "probability"]].iloc[1:].to_numpy()
    )
    found = warned(clean | {"marks": marks(*rows)})
    assert ("ties_at_cut" in found) == expected
    if expected:
        assert "in 1 scans" in found["ties_at_cut"]
        assert "2 more than the cap asks for: s0" in found["ties_at_cut"]


def test_voxel_indices_are_recognised(clean):
    columns = ["center_z_mm", "center_y_mm", "center_x_mm"]
    voxels = clean["marks"].assign(**{name: (clean["marks"][name] + 300) / 0.7 for name in columns})
    assert "voxel" in warned(clean | {"marks": voxels})["voxel_coordinates"]


def test_ras_coordinates_are_recognised(clean):
    mirrored = clean["marks"].assign(
        center_x_mm=-clean["marks"]["center_x_mm"], center_y_mm=-clean["marks"]["center_y_mm"]
    )
    assert "0 nodules as given, but in 12" in warned(clean | {"marks": mirrored})["ras_coordinates"]


def test_exchanged_axes_are_recognised(clean):
    swapped = clean["marks"].rename(columns={"center_x_mm": "center_z_mm", "center_z_mm": "center_x_mm"})
    assert "but in 12 with x and z exchanged" in warned(clean | {"marks": swapped})["axis_order"]


def test_a_poor_detector_is_not_taken_for_a_mirrored_one(clean):
    moved = clean["marks"].assign(center_z_mm=clean["marks"]["center_z_mm"] + 40)
    assert set(warned(clean | {"marks": moved})) == set()


def test_nodules_that_are_listed_twice_are_counted_and_named(clean):
    again = clean["nodules"].iloc[[2, 5]].assign(center_x_mm=lambda table: table["center_x_mm"] + 0.9)
    nodules = pd.concat([clean["nodules"], again])
    found = warned(clean | {"nodules": nodules})
    assert (
        "2 annotations lie within 1 mm of an earlier one of the same scan (the first such row is 13)"
        in (found["duplicate_nodules"])
    )


def test_a_nodule_listed_twice_is_found_behind_others_of_its_scan(clean):
    other = clean["nodules"].iloc[[2, 3]].assign(center_y_mm=lambda t: t.center_y_mm + 20)
    again = clean["nodules"].iloc[[2]].assign(center_z_mm=lambda t: t.center_z_mm - 1)
    found = warned(clean | {"nodules": pd.concat([clean["nodules"], other, again])})
    assert (
        "1 annotations lie within 1 mm of an earlier one of the same scan (the first such row is 15)"
        in (found["duplicate_nodules"])
    )


def test_neighbours_and_other_scans_are_no_nodules_twice(clean):
    near = clean["nodules"].iloc[[2]].assign(center_x_mm=lambda t: t.center_x_mm + 1.1)
    elsewhere = clean["nodules"].iloc[[2]].assign(series_uid="s3")
    assert warned(clean | {"nodules": pd.concat([clean["nodules"], near, elsewhere])}) == {}


@pytest.mark.parametrize(
    ("diameter", "code", "text"),
    [
        (-1.0, "excluded_among_annotations", "1 annotations have a negative diameter"),
        (0.0, "diameter_range", "(row 4: 0 mm)"),
        (10000.0, "diameter_range", "(row 4: 10000 mm)"),
        (200.5, "diameter_range", "1 annotations have a diameter of 0 or above 200 mm"),
    ],
)
def test_diameters_that_no_annotation_has_are_said(clean, diameter, code, text):
    nodules = clean["nodules"].copy()
    nodules.loc[3, "diameter_mm"] = diameter
    found = warned(clean | {"nodules": nodules})
    assert text in found[code]
