import pandas as pd

from lungpipe.reporting.page_tables import (
    accounting_table,
    accuracy_table,
    lungs_table,
    malignancy_by_diameter,
    ranking_table,
    sensitivity_table,
    strata_tables,
)


def test_ranking_puts_the_baseline_last_and_only_what_there_is():
    part = {"auc": 0.8, "auc_ci95": [0.7, 0.9], "average_precision": 0.5}
    nodules = ranking_table({"diameter_only": part, "model": part}, "Nodules")
    patients = ranking_table({"noisy_or": part, "diameter_only": part, "max": part}, "Patients")
    assert nodules.rows[0] == ("model", "0.800", "0.700 to 0.900", "0.500")
    assert [row[0] for row in nodules.rows] == ["model", "baseline: diameter only"]
    assert [row[0].split(":")[0] for row in patients.rows] == ["model", "model", "baseline"]
    assert ranking_table(None, "Nodules") is None


def test_sensitivities_stand_beside_those_of_the_detector_alone_and_the_gain():
    figures = {"sensitivity": {"1": 0.9}, "sensitivity_ci95": {"1": [0.8, 1.0]}, "cpm": 0.7, "cpm_ci95": [0.6, 0.8]}
    summary = figures | {"bootstrap": {"num_samples": 50}}
    assert sensitivity_table(summary).rows == (
        ("1", "0.900", "0.800 to 1.000"),
        ("CPM (mean)", "0.700", "0.600 to 0.800"),
    )
    gain = {"difference": 0.2, "low": 0.1, "high": 0.3, "p_value": 0.04}
    before = figures | {"cpm": 0.5, "gain_of_scorer": gain}
    table = sensitivity_table(summary | {"before_scorer": before})
    assert table.headings == ("FP per scan", "Sensitivity", "95 % interval", "Detector alone", "95 % interval")
    assert table.rows[1:] == (
        ("CPM (mean)", "0.700", "0.600 to 0.800", "0.500", "0.600 to 0.800"),
        ("CPM, gain of the scorer", "0.200", "0.100 to 0.300", "", ""),
    )


def test_strata_have_a_column_for_each_of_the_seven_rates(stored):
    by_name = {table.headings[0]: table for table in strata_tables(stored.summary)}
    assert set(by_name) == {"Diameter", "Readers", "Subset"}
    subsets = by_name["Subset"]
    assert subsets.headings == (
        "Subset", "Scans", "Nodules", "Hit", "0.125", "0.25", "0.5", "1", "2", "4", "8", "CPM",
    )  # fmt: skip
    # fold 0: two scans, both nodules found; fold 1: one scan without marks
    assert [row[:4] for row in subsets.rows] == [("0", "2", "2", "2"), ("1", "1", "1", "0")]
    assert subsets.rows[1][4:] == ("0.000",) * 8
    assert all(len(row) == len(table.headings) for table in by_name.values() for row in table.rows)


def test_an_undefined_auc_within_a_class_of_diameter_is_named(stored):
    table = malignancy_by_diameter(stored.summary["malignancy"])
    assert [row[:3] for row in table.rows] == [("6 to 8 mm", "1", "0"), ("8 to 15 mm", "1", "1")]
    assert {cell for row in table.rows for cell in row[3:]} == {"not defined"}
    assert malignancy_by_diameter(None) is None


def test_accuracy_of_the_hits_in_millimetres(stored):
    # distances 1 and 0 mm; diameters 9 for 10 and 7 for 6 mm
    rows = dict(accuracy_table(stored.summary).rows)
    assert rows["distance from centre, median"] == "0.50"
    assert rows["diameter, mean error"] == "0.00"
    assert rows["diameter, mean absolute error"] == "1.00"
    assert accuracy_table({"localisation": None, "diameter_error": None}) is None


def test_accounting_is_shown_as_it_is_and_the_lungs_apart():
    lungs = {"lungs_litres_median": 4.501, "references": 2, "references_not_compared": 0}
    lungs |= {"lungs_dice_median": [0.98, None], "lungs_dice_min": [0.97, None]}
    accounting = pd.DataFrame({"subset": ["0", "total"], "outside_lungs": [3, 3], **lungs})
    table = accounting_table(accounting)
    assert table.headings == ("Subset", "Outside lungs")
    assert table.rows == (("0", "3"), ("total", "3"))
    table = lungs_table(accounting)
    assert table.headings[-2:] == ("Lungs dice median", "Lungs dice min")
    assert table.rows == (
        ("0", "4.501", "2", "0", "0.9800", "0.9700"),
        ("total", "4.501", "2", "0", "not defined", "not defined"),
    )
