"""Candidates of another study, by hand."""

import pandas as pd
import pytest

from lungpipe.candidates.of_study import require_candidates_of, take_candidates
from lungpipe.datasets.annotations import DatasetError
from lungpipe.tables import CANDIDATES, ContractError, write_table


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
    ("allowed", "trained_on", "expected"),
    [
        ({"1.1", "1.3"}, (), "expected candidates of the 2 series .* fold 2, found 1 further series, first 1.2"),
        ({"1.1", "1.2", "1.3"}, {"1.3"}, "expected candidates of training series of fold 2, found none"),
    ],
)
def test_candidates_of_other_series_are_refused(tmp_path, allowed, trained_on, expected):
    path = write_taken(tmp_path, ["1.1", "1.2"])
    with pytest.raises(DatasetError, match=f"candidates.parquet: {expected}"):
        take_candidates(path, allowed, fold=2, trained_on=trained_on)


def test_candidates_of_another_fold_are_refused(tmp_path):
    path = write_taken(tmp_path, ["1.1", "1.2"])
    with pytest.raises(
        ContractError, match=r"candidates.parquet: expected candidates of fold 3, found 1.1#c0 of fold 2"
    ):
        take_candidates(path, {"1.1", "1.2"}, fold=3)


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
