"""Parts of a study's truth."""

from pathlib import Path

import pandas as pd
import pytest

from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.tables import EXCLUSIONS, NODULES, SCORED, SERIES, ContractError, read_table, write_table

FOLDS = (0, 2)


def test_a_part_keeps_the_truth_of_its_subsets_and_all_scores(study):
    part = study.of_subsets([1, 3])
    assert set(part.series["subset"]) == {1, 3}
    assert set(part.nodules["series_uid"]) == {"1.2.1", "1.2.3"}
    assert len(part.scored) == len(study.scored)
    assert len(part.validation) == len(study.validation)
    assert part.nodules.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("table", ["series", "nodules", "exclusions"])
def test_no_series_leaves_empty_tables_with_their_columns(study, table):
    part = getattr(study.of_series([]), table)
    assert len(part) == 0
    assert list(part.columns) == list(getattr(study, table).columns)


@pytest.fixture
def files(study, tmp_path):
    """The study's tables as files of a fold each, as the workflow writes them."""
    paths = {}
    for name, contract in (("series", SERIES), ("nodules", NODULES), ("exclusions", EXCLUSIONS)):
        paths[name] = str(tmp_path / f"{name}.parquet")
        write_table(getattr(study, name), Path(paths[name]), contract)
    for name in ("scored", "validation"):
        paths[name] = [str(tmp_path / f"fold{fold}" / f"{name}.parquet") for fold in FOLDS]
        for fold, path in zip(FOLDS, paths[name], strict=True):
            table = getattr(study, name)
            write_table(table[table["fold"] == fold], Path(path), SCORED)
    return paths


def test_each_fold_scored_the_scans_of_its_own_subset(study, files):
    read = StudyTables.read(files, folds=FOLDS, num_subsets=4)
    for name in ("series", "nodules", "exclusions"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(study, name).reset_index(drop=True))
    for name in ("scored", "validation"):
        assert set(getattr(read, name)["candidate_id"]) == set(getattr(study, name)["candidate_id"])
        assert len(getattr(read, name)) == len(getattr(study, name)) > 0
    assert len(read.patients) == 0


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("scored", {"fold": 2}, r"fold0/scored\.parquet, series \S+: expected candidates of fold 0, found fold 2"),
        ("scored", {"series_uid": "1.2.2"}, r"scored\.parquet, .*: expected a series of subset 0, found subset 2"),
        ("scored", {"series_uid": "9.9"}, r"series 9.9: expected a series of subset 0, found no series of the study"),
        ("validation", {"fold": 7}, r"fold0/validation\.parquet, .*: expected candidates of fold 0, found fold 7"),
        ("validation", {"series_uid": "1.2.0"}, r"validation\.parquet.*: expected a series of subset 1"),
    ],
)
def test_a_candidate_of_another_fold_or_subset_is_refused_with_its_file(files, name, changes, expected):
    path = Path(files[name][0])
    edited = read_table(path, SCORED)
    for column, value in changes.items():
        edited.loc[0, column] = value
    write_table(edited, path, SCORED)
    with pytest.raises(ContractError, match=expected):
        StudyTables.read(files, folds=FOLDS, num_subsets=4)


def test_a_fold_without_its_file_is_refused(files):
    with pytest.raises(ValueError, match="zip"):
        StudyTables.read(files, folds=[*FOLDS, 3], num_subsets=4)


@pytest.mark.parametrize(("name", "contract"), [("nodules", NODULES), ("exclusions", EXCLUSIONS)])
def test_truth_of_a_series_that_the_study_does_not_have_is_refused_with_its_file(study, files, name, contract):
    center = dict.fromkeys(("center_z_mm", "center_y_mm", "center_x_mm"), 0.0)
    row = {"nodule_id": "9.9#0", "series_uid": "9.9", **center, "diameter_mm": 5.0, "malignancy_ratings": None}
    more = contract.conform(pd.DataFrame([{column: row[column] for column in contract.columns}]))
    own = getattr(study, name)
    write_table(pd.concat([own, more]) if len(own) else more, Path(files[name]), contract)
    expected = rf"{name}\.parquet: expected {name} of the 4 series of the study, found one of series 9\.9"
    with pytest.raises(ContractError, match=expected):
        StudyTables.read(files, folds=FOLDS, num_subsets=4)
