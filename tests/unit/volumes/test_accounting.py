"""The account: n of n scans, and every failure with its reason."""

import pandas as pd
import pytest

from lungpipe.tables import QC, SERIES
from lungpipe.volumes.accounting import PreparationError, account_scans, refuse_failures

NUMBERS = ("num_nodules", "num_nodules_outside_volume", "num_nodules_outside_lungs")


def row(uid, subset, nodules, *, reason=""):
    """A QC row; `nodules`: in all, outside the volume, outside the lungs."""
    measured = {name: None for name, column in QC.columns.items() if column.is_nullable}
    known = {"series_uid": uid, "subset": subset, "is_ok": not reason, "reason": reason, "source": f"{uid}.mhd"}
    return measured | known | dict(zip(NUMBERS, nodules, strict=True))


def table(*rows):
    return QC.conform(pd.DataFrame(rows, columns=list(QC.columns)))


@pytest.fixture
def qc():
    good = table(row("1.1", 0, (3, 0, 1)), row("1.2", 0, (2, 0, 0)))
    return [good, table(row("1.3", 1, (1, 1, 1)), row("1.4", 1, (2, 2, 2), reason="no data file"))]


def series(*subsets):
    rows = [(f"1.{row + 1}", f"P{row}", subset) for row, subset in enumerate(subsets)]
    return SERIES.conform(pd.DataFrame(rows, columns=list(SERIES.columns)))


def test_scans_and_nodules_are_counted_by_subset_and_in_all(qc):
    assert account_scans(qc, series(0, 0, 1, 1)).to_dict("list") == {
        "subset": ["0", "1", "total"],
        "expected": [2, 2, 4],
        "prepared": [2, 1, 3],
        "nodules": [5, 3, 8],
        "outside_volume": [0, 3, 3],
        "outside_lungs": [1, 3, 4],
    }


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
