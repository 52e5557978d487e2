"""The account: n of n scans, their lungs, and every failure with its reason."""

import pandas as pd
import pytest

from lungpipe.tables import QC, SERIES
from lungpipe.volumes.accounting import PreparationError, account_scans, key_figures, refuse_failures

NUMBERS = ("num_nodules", "num_nodules_outside_volume", "num_nodules_outside_lungs")


def row(uid, subset, nodules, *, reason="", **measured):
    """A QC row; `nodules`: in all, outside the volume, outside the lungs."""
    empty = {name: None for name, column in QC.columns.items() if column.is_nullable} | {"reference_reason": ""}
    known = {"series_uid": uid, "subset": subset, "is_ok": not reason, "reason": reason, "source": f"{uid}.mhd"}
    return empty | known | dict(zip(NUMBERS, nodules, strict=True)) | measured


def table(*rows):
    return QC.conform(pd.DataFrame(rows, columns=list(QC.columns)))


def lungs(left_ml, right_ml, dice=None):
    """The columns of a scan's lungs, with a reference of the same volume where there is a Dice."""
    sides = {"lungs_ml": left_ml + right_ml, "left_lung_ml": left_ml, "right_lung_ml": right_ml}
    return sides if dice is None else sides | {"lungs_dice": dice, "reference_lungs_ml": left_ml + right_ml}


@pytest.fixture
def qc():
    good = table(row("1.1", 0, (3, 0, 1), **lungs(2000, 2500, 0.99)), row("1.2", 0, (2, 0, 0), **lungs(2500, 3000)))
    bad = row("1.3", 1, (1, 1, 1), **lungs(1000, 1000), reference_reason="1.3.mhd: expected the scan's shape")
    return [good, table(bad, row("1.4", 1, (2, 2, 2), reason="no data file"))]


def series(*subsets):
    rows = [(f"1.{row + 1}", f"P{row}", subset) for row, subset in enumerate(subsets)]
    return SERIES.conform(pd.DataFrame(rows, columns=list(SERIES.columns)))


def test_scans_and_nodules_are_counted_by_subset_and_in_all(qc):
    account = account_scans(qc, series(0, 0, 1, 1))
    counted = ["subset", "expected", "prepared", "nodules", "outside_volume", "outside_lungs"]
    assert account[counted].to_dict("list") == {
        "subset": ["0", "1", "total"],
        "expected": [2, 2, 4],
        "prepared": [2, 1, 3],
        "nodules": [5, 3, 8],
        "outside_volume": [0, 3, 3],
        "outside_lungs": [1, 3, 4],
    }
    assert account["outside_lungs_percent"].tolist() == [20.0, 100.0, 50.0]


def test_lungs_are_summed_up_over_scans_and_not_over_subsets(qc):
    more = table(row("1.5", 2, (0, 0, 0), **lungs(3000, 3500, 0.95)), row("1.6", 2, (0, 0, 0), **lungs(1, 2, 0.8)))
    account = account_scans([*qc, more], series(0, 0, 1, 1, 2, 2)).set_index("subset")
    assert account["references"].tolist() == [1, 1, 2, 4]
    assert account["references_not_compared"].tolist() == [0, 1, 0, 1]
    assert account["lungs_dice_median"].tolist() == pytest.approx([0.99, float("nan"), 0.875, 0.95], nan_ok=True)
    assert account["lungs_dice_min"].tolist() == pytest.approx([0.99, float("nan"), 0.8, 0.8], nan_ok=True)
    # 4.5, 5.5; 2; 6.5, 0.003: the median of all five is none of the subsets'
    assert account["lungs_litres_median"].tolist() == pytest.approx([5.0, 2.0, 3.252, 4.5], abs=0.001)


def test_a_mask_that_is_the_whole_volume_has_no_volume_of_lungs():
    account = account_scans([table(row("1.1", 0, (1, 0, 0), lungs_ml=125.0))], series(0))
    assert account["lungs_litres_median"].isna().all()


def test_what_is_tracked_are_the_totals_that_there_are(qc):
    account = account_scans(qc, series(0, 0, 1, 1))
    figures = key_figures(account)
    assert figures["num_prepared"] == 3
    assert figures["num_references_not_compared"] == 1
    assert figures["outside_lungs_percent"] == 50.0
    assert figures["lungs_dice_min"] == 0.99
    alone = key_figures(account_scans([qc[1]], series(1, 1)))
    assert set(figures) - set(alone) == {"lungs_dice_min", "lungs_dice_median"}
    assert not any("1.1" in str(value) for value in account.to_numpy().ravel())


def test_without_nodules_there_is_no_share(qc):
    account = account_scans([table(row("1.1", 0, (0, 0, 0)))], series(0))
    assert account["outside_lungs_percent"].isna().all()


def test_scans_that_no_one_heard_of_are_missed(qc):
    account = account_scans(qc[:1], series(0, 0, 0, 2)).set_index("subset")
    assert account["expected"].to_dict() == {"0": 3, "2": 1, "total": 4}
    assert account["prepared"].to_dict() == {"0": 2, "2": 0, "total": 2}


def test_a_failure_is_refused_with_its_scan_and_reason(qc):
    with pytest.raises(PreparationError) as caught:
        refuse_failures(qc)
    first, *failures = str(caught.value).splitlines()
    assert "expected 4 prepared scans, found 3" in first
    assert "preprocessing.is_failure_fatal" in first
    assert failures == ["  subset1 1.4 (1.4.mhd): no data file"]


def test_without_failures_nothing_is_refused(qc):
    refuse_failures(qc[:1])
    refuse_failures([qc[0], QC.empty()])
