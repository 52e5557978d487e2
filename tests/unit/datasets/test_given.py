"""Given candidates of some series, by hand."""

import pandas as pd
import pytest

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.given import select_candidates
from lungpipe.tables import CANDIDATES, SERIES

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
