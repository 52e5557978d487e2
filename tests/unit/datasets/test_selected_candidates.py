"""Given candidates of some series, and those of another study, by hand."""

import pandas as pd
import pytest

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.given import require_candidates_of, select_candidates, take_candidates
from lungpipe.tables import CANDIDATES, SERIES, write_table

ROWS = ["1.2,10.5,20.5,30.5,1", "1.1,1,2,3,0", "1.2,-4,5,6,0", "1.3,7,8,9,1"]


@pytest.fixture
def series():
    rows = [("1.1", "a", 0), ("1.2", "b", 0), ("1.3", "c", 1)]
    return SERIES.conform(pd.DataFrame(rows, columns=list(SERIES.columns)))


def write(folder, rows):
    path = folder / "candidates_V2.csv"
    path.write_text("\n".join(["seriesuid,coordX,coordY,coordZ,class", *rows]) + "\n")
    return path


def test_candidates_have_ids_by_series_and_neither_diameter_nor_score(tmp_path, series):
    found = select_candidates(write(tmp_path, ROWS), series, {"1.1", "1.2"}, fold=4)
    assert found["candidate_id"].tolist() == ["1.1#c0", "1.2#c0", "1.2#c1"]
    centers = found[["center_z_mm", "center_y_mm", "center_x_mm"]].to_numpy().tolist()
    assert centers == [[3, 2, 1], [30.5, 20.5, 10.5], [6, 5, -4]]
    assert found["diameter_mm"].isna().all()
    assert found["detector_score"].isna().all()
    assert set(found["fold"]) == {4}


def test_the_class_of_a_candidate_is_not_told(tmp_path, series):
    found = select_candidates(write(tmp_path, ROWS), series, {"1.1", "1.2", "1.3"}, fold=0)
    flipped = [row[:-1] + str(1 - int(row[-1])) for row in ROWS]
    pd.testing.assert_frame_equal(
        found, select_candidates(write(tmp_path, flipped), series, {"1.1", "1.2", "1.3"}, fold=0)
    )
    assert list(found.columns) == list(CANDIDATES.columns)


def test_no_candidates_of_these_series_give_a_valid_table(tmp_path, series):
    found = select_candidates(write(tmp_path, ROWS[:1]), series, {"1.1"}, fold=0)
    assert found.equals(CANDIDATES.conform(found))
    assert len(found) == 0


def test_a_candidate_of_a_series_that_the_dataset_lacks_is_refused(tmp_path, series):
    path = write(tmp_path, [*ROWS, "9.9,1,2,3,0"])
    with pytest.raises(DatasetError, match=r"candidates_V2.csv, line 6: expected a series of the 3 .*, found 9.9"):
        select_candidates(path, series, {"1.1"}, fold=0)


def write_taken(folder, uids, *, fold=2):
    rows = [(f"{uid}#c0", uid, 1.0, 2.0, 3.0, 4.5, 0.25, fold) for uid in uids]
    path = folder / "candidates.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    write_table(CANDIDATES.conform(pd.DataFrame(rows, columns=list(CANDIDATES.columns))), path, CANDIDATES)
    return path


def test_the_candidates_of_another_study_are_taken_as_they_are(tmp_path):
    path = write_taken(tmp_path, ["1.1", "1.2"])
    found = take_candidates(path, {"1.1", "1.2", "1.3"}, fold=2, trained_on={"1.2"})
    assert found["candidate_id"].tolist() == ["1.1#c0", "1.2#c0"]
    assert set(found["diameter_mm"]) == {4.5}
    assert set(found["detector_score"]) == {0.25}


@pytest.mark.parametrize(
    ("allowed", "fold", "trained_on", "expected"),
    [
        ({"1.1", "1.2"}, 3, (), "expected candidates of fold 3, found some of fold 2"),
        ({"1.1", "1.3"}, 2, (), "expected candidates of the 2 series .* fold 2, found 1 further series, first 1.2"),
        ({"1.1", "1.2", "1.3"}, 2, {"1.3"}, "expected candidates of training series of fold 2, found none"),
    ],
)
def test_candidates_of_other_folds_or_series_are_refused(tmp_path, allowed, fold, trained_on, expected):
    path = write_taken(tmp_path, ["1.1", "1.2"])
    with pytest.raises(DatasetError, match=f"candidates.parquet: {expected}"):
        take_candidates(path, allowed, fold=fold, trained_on=trained_on)


def test_a_study_without_candidates_of_a_fold_is_refused(tmp_path):
    for fold in (0, 3):
        write_taken(tmp_path / "flagship" / f"fold{fold}", ["1.1"])
    write_taken(tmp_path / "flagship" / "fold0", ["1.1"]).rename(tmp_path / "flagship" / "fold0" / "mined.parquet")
    write_taken(tmp_path / "flagship" / "fold0", ["1.1"])
    require_candidates_of(tmp_path / "flagship", [0])
    with pytest.raises(DatasetError, match=r"fold0/detector.safetensors: expected the detector of study 'flagship'"):
        require_candidates_of(tmp_path / "flagship", [0], has_detector=True)
    with pytest.raises(DatasetError, match=r"fold3/mined.parquet: expected the candidates of study 'flagship'"):
        require_candidates_of(tmp_path / "flagship", [0, 3])
