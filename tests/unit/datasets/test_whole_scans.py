"""Whole scans beside a dataset of crops: their subset, their patient, and their rows of the tables."""

import pytest

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.raw import RawScans
from lungpipe.datasets.targets import collect_targets
from lungpipe.datasets.whole_scans import add_whole_scans
from lungpipe.settings import ConfigSettings, DatasetSettings

MARKS = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
SERIES = "seriesuid,patient_id,subset\n"


@pytest.fixture
def crops(tmp_path):
    """Three subsets with a crop each, of patients A, B and C; one annotated nodule in the crop of A."""
    root = tmp_path / "crops"
    for subset, patient in enumerate("ABC"):
        folder = root / f"subset{subset}"
        folder.mkdir(parents=True)
        (folder / f"1.{patient}.1.mha").write_text("NDims = 3\n")
    (root / "annotations.csv").write_text(f"{MARKS}1.A.1,1,2,3,5\n")
    (root / "annotations_excluded.csv").write_text(MARKS)
    rows = "".join(f"1.{patient}.1,{patient},{subset}\n" for subset, patient in enumerate("ABC"))
    (root / "series.csv").write_text(SERIES + rows)
    return root


@pytest.fixture
def tables(tmp_path):
    """LUNA16's own tables: the whole scans of A, B and of a patient whom the crops do not show, and one scan more."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "annotations.csv").write_text(f"{MARKS}1.A,1,2,3,5\n1.A,4,5,6,7\n9.9,1,1,1,4\n")
    (folder / "annotations_excluded.csv").write_text(f"{MARKS}1.A,7,7,7,-1\n9.9,2,2,2,-1\n")
    (folder / "series.csv").write_text(f"{SERIES}1.A,A,0\n1.B,B,2\n1.D,D,2\n9.9,E,1\n")
    return folder


@pytest.fixture
def dicom(tmp_path):
    """A folder of a scan with files at two depths."""
    folder = tmp_path / "dicom"
    (folder / "deeper").mkdir(parents=True)
    for name in ("2.dcm", "deeper/1.dcm"):
        (folder / name).write_bytes(b"")
    return folder


def find(crops, tables, tmp_path, **scans):
    whole = {uid.replace("_", "."): str(path) for uid, path in scans.items()}
    dataset = DatasetSettings(
        name="mine", kind="luna16", root=str(crops), num_subsets=3, whole_scans=whole, whole_scan_tables=str(tables)
    )
    return RawScans.of(ConfigSettings(results_dir=str(tmp_path / "results"), dataset=dataset, folds=(0,)))


def test_a_whole_scan_is_in_the_subset_of_its_patient_as_files_that_a_rule_writes(crops, tables, dicom, tmp_path):
    raw = find(crops, tables, tmp_path, **{"1.A": dicom, "1.D": dicom})
    assert {subset: [scan.series_uid for scan in scans] for subset, scans in raw.by_subset.items()} == {
        0: ["1.A.1", "1.A"],
        1: ["1.B.1"],
        2: ["1.C.1", "1.D"],
    }
    folder = tmp_path / "results" / "mine" / "whole_scans"
    assert raw.files(2)[1:] == [(folder / "subset2" / f"1.D.{ending}").as_posix() for ending in ("mhd", "zraw")]
    assert raw.whole_files() == [
        (folder / f"subset{subset}" / f"{uid}.{ending}").as_posix()
        for subset, uid in ((0, "1.A"), (2, "1.D"))
        for ending in ("mhd", "zraw")
    ]
    assert raw.whole_scans[0].source_files() == [(dicom / name).as_posix() for name in ("2.dcm", "deeper/1.dcm")]
    assert raw.whole_subset_of() == {"1.A": 0, "1.D": 2}
    assert (raw.whole_subset_of(0), raw.whole_subset_of(1)) == ({"1.A": 0}, {})
    assert raw.subset_of() == {"1.A.1": 0, "1.B.1": 1, "1.C.1": 2}


def test_a_dataset_alone_has_no_whole_scans(crops, tables, tmp_path):
    raw = find(crops, tables, tmp_path)
    assert (raw.whole_scans, raw.whole_tables, raw.whole_files()) == ((), (), [])


def test_a_source_may_be_one_file(crops, tables, dicom, tmp_path):
    raw = find(crops, tables, tmp_path, **{"1.A": dicom / "2.dcm"})
    assert raw.whole_scans[0].source_files() == [(dicom / "2.dcm").as_posix()]


@pytest.mark.parametrize(
    ("uid", "message"),
    [
        ("1.A.1", r"series 1\.A\.1: expected a scan beside those of .*crops, found it there, too"),
        ("7.7", r"series 7\.7: expected its patient and subset in .*series\.csv, found no row"),
        ("1.B", r"series 1\.B: expected subset 2 for all scans of its patient, found scans of patient B in subset 1"),
    ],
)
def test_a_series_that_could_leak_is_refused(crops, tables, dicom, tmp_path, uid, message):
    with pytest.raises(DatasetError, match=message):
        find(crops, tables, tmp_path, **{uid: dicom})


def test_absent_scans_and_tables_are_refused(crops, tables, dicom, tmp_path):
    with pytest.raises(
        DatasetError, match=r"whole_scans, series 1\.A: expected a file or a DICOM folder, found no .*x"
    ):
        find(crops, tables, tmp_path, **{"1.A": tmp_path / "x"})
    (tables / "series.csv").write_text(f"{SERIES}1.A,A,3\n")
    with pytest.raises(DatasetError, match=r"series\.csv, line 2, series 1\.A: subset: expected 0 to 2, found '3'"):
        find(crops, tables, tmp_path, **{"1.A": dicom})
    (tables / "series.csv").write_text(f"{SERIES}1.A,A,0\n9.9,E,9\n")
    assert find(crops, tables, tmp_path, **{"1.A": dicom}).whole_subset_of() == {"1.A": 0}
    for name in ("annotations_excluded.csv", "annotations.csv", "series.csv"):
        (tables / name).unlink()
        with pytest.raises(DatasetError, match=rf"{name}: expected .*, found no file"):
            find(crops, tables, tmp_path, **{"1.A": dicom})


def test_targets_have_the_rows_of_the_whole_scans_alone(crops, tables):
    own = collect_targets(crops, {"1.A.1": 0, "1.B.1": 1, "1.C.1": 2})
    targets = add_whole_scans(own, tables, {"1.D": 2, "1.A": 0})
    assert targets.series["series_uid"].tolist() == ["1.A", "1.A.1", "1.B.1", "1.C.1", "1.D"]
    assert targets.series["patient_id"].tolist() == ["A", "A", "B", "C", "D"]
    assert targets.series["subset"].tolist() == [0, 0, 1, 2, 2]
    assert targets.nodules["nodule_id"].tolist() == ["1.A.1#0", "1.A#0", "1.A#1"]
    assert targets.nodules["malignancy_ratings"].isna().all()
    assert targets.exclusions["series_uid"].tolist() == ["1.A"]
