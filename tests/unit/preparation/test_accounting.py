"""The account: n of n scans, their lungs, and every failure with its reason."""

import pandas as pd
import pytest

from lungpipe.preparation.accounting import (
    PreparationError,
    account_scans,
    key_figures,
    read_subsets,
    refuse_doubles,
    refuse_failures,
)
from lungpipe.tables import QC, REFERENCES, SERIES, ContractError, write_table
from lungpipe.volumes.manifest import VolumeEntry

NUMBERS = ("num_nodules", "num_nodules_outside_volume", "num_nodules_outside_lungs")


def row(uid, subset, nodules, *, reason="", **measured):
    """A QC row; `nodules`: in all, outside the volume, outside the lungs."""
    empty = {name: None for name, column in QC.columns.items() if column.is_nullable}
    known = {
        "series_uid": uid,
        "subset": subset,
        "is_ok": not reason,
        "reason": reason,
        "remarks": "",
        "source": f"{uid}.mhd",
    }
    return empty | known | dict(zip(NUMBERS, nodules, strict=True)) | measured


def table(*rows):
    return QC.conform(pd.DataFrame(rows, columns=list(QC.columns)))


def lungs(left_ml, right_ml):
    """The columns of a scan's lungs."""
    return {"lungs_ml": left_ml + right_ml, "left_lung_ml": left_ml, "right_lung_ml": right_ml}


def compared(subset, **found):
    """A subset's table of references: the Dice of a series (its dots are underscores), or why there is none."""
    rows = [
        dict.fromkeys(REFERENCES.columns)
        | {"series_uid": name.strip("_").replace("_", "."), "subset": subset, "reference_reason": ""}
        | ({"reference_reason": value} if isinstance(value, str) else {"lungs_dice": value, "reference_lungs_ml": 1.0})
        for name, value in found.items()
    ]
    return REFERENCES.conform(pd.DataFrame(rows, columns=list(REFERENCES.columns)))


@pytest.fixture
def qc():
    good = table(row("1.1", 0, (3, 0, 1), **lungs(2000, 2500)), row("1.2", 0, (2, 0, 0), **lungs(2500, 3000)))
    bad = row("1.3", 1, (1, 1, 1), **lungs(1000, 1000))
    return [good, table(bad, row("1.4", 1, (2, 2, 2), reason="no data file"))]


@pytest.fixture
def references():
    return [compared(0, _1_1=0.99), compared(1, _1_3="1.3.mhd: expected the scan's shape")]


def series(*subsets):
    rows = [(f"1.{row + 1}", f"P{row}", subset) for row, subset in enumerate(subsets)]
    return SERIES.conform(pd.DataFrame(rows, columns=list(SERIES.columns)))


def test_scans_and_nodules_are_counted_by_subset_and_in_all(qc, references):
    account = account_scans(qc, references, series(0, 0, 1, 1))
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


def test_lungs_are_summed_up_over_scans_and_not_over_subsets(qc, references):
    more = table(row("1.5", 2, (0, 0, 0), **lungs(3000, 3500)), row("1.6", 2, (0, 0, 0), **lungs(1, 2)))
    references = [*references, compared(2, _1_5=0.95, _1_6=0.8)]
    account = account_scans([*qc, more], references, series(0, 0, 1, 1, 2, 2)).set_index("subset")
    assert account["references"].tolist() == [1, 1, 2, 4]
    assert account["references_not_compared"].tolist() == [0, 1, 0, 1]
    assert account["lungs_dice_median"].tolist() == pytest.approx([0.99, float("nan"), 0.875, 0.95], nan_ok=True)
    assert account["lungs_dice_min"].tolist() == pytest.approx([0.99, float("nan"), 0.8, 0.8], nan_ok=True)
    # 4.5, 5.5; 2; 6.5, 0.003: the median of all five is none of the subsets'
    assert account["lungs_litres_median"].tolist() == pytest.approx([5.0, 2.0, 3.252, 4.5], abs=0.001)


def test_a_mask_that_is_the_whole_volume_has_no_volume_of_lungs():
    account = account_scans([table(row("1.1", 0, (1, 0, 0), lungs_ml=125.0))], [compared(0)], series(0))
    assert account["lungs_litres_median"].isna().all()


def test_what_is_tracked_are_the_totals_that_there_are(qc, references):
    account = account_scans(qc, references, series(0, 0, 1, 1))
    figures = key_figures(account)
    assert figures["num_prepared"] == 3
    assert figures["num_references_not_compared"] == 1
    assert figures["outside_lungs_percent"] == 50.0
    assert figures["lungs_dice_min"] == 0.99
    alone = key_figures(account_scans([qc[1]], [references[1]], series(1, 1)))
    assert set(figures) - set(alone) == {"lungs_dice_min", "lungs_dice_median"}
    assert not any("1.1" in str(value) for value in account.to_numpy().ravel())


def test_without_nodules_there_is_no_share():
    account = account_scans([table(row("1.1", 0, (0, 0, 0)))], [REFERENCES.empty()], series(0))
    assert account["outside_lungs_percent"].isna().all()


def test_scans_that_no_one_heard_of_are_missed(qc, references):
    account = account_scans(qc[:1], references[:1], series(0, 0, 0, 2)).set_index("subset")
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


def entries(**contents):
    """Entries of the manifests: the content of a series (its dots are underscores)."""
    uids = {name.strip("_").replace("_", "."): content for name, content in contents.items()}
    geometry = ((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return [
        VolumeEntry(uid, f"{uid}.ome.zarr", *geometry, uid, "p", "c", content, 0.0, 0, 0, {})
        for uid, content in uids.items()
    ]


def test_one_scan_under_two_names_is_refused_in_two_subsets_and_in_one():
    with pytest.raises(PreparationError) as caught:
        refuse_doubles(entries(_1_1="a", _1_2="b", _1_3="b", _1_4="c", _1_5="c", _1_6="c"), series(0, 0, 1, 2, 2, 0))
    first, *doubles = str(caught.value).splitlines()
    assert "expected every scan once, found 2 under several names" in first
    assert doubles == ["  subset0 1.2 = subset1 1.3", "  subset2 1.4 = subset2 1.5 = subset0 1.6"]


def test_scans_of_different_content_are_not_refused():
    refuse_doubles(entries(_1_1="a", _1_2="b"), series(0, 0))
    refuse_doubles([], series(0, 0))


def test_a_volume_of_a_series_that_the_dataset_does_not_have_is_refused():
    with pytest.raises(PreparationError, match=r"series 1\.3: expected one of the 2 series"):
        refuse_doubles(entries(_1_1="a", _1_3="b"), series(0, 0))


def test_tables_are_read_in_the_order_of_the_subsets(qc, tmp_path):
    paths = [tmp_path / f"qc{subset}.parquet" for subset in (0, 1)]
    for path, own in zip(paths, qc, strict=True):
        write_table(own, path, QC)
    for read, own in zip(read_subsets(map(str, paths), QC), qc, strict=True):
        pd.testing.assert_frame_equal(read, own)
    expected = r"qc1\.parquet: expected scans of subset 0, found series 1\.3 of subset 1"
    with pytest.raises(ContractError, match=expected):
        read_subsets(paths[::-1], QC)
