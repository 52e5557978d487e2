"""Parts of a study's truth."""

from dataclasses import replace

import pytest


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


def test_each_fold_scored_the_scans_of_its_own_subset(study):
    study.require_folds([0, 2], 4)


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        ("scored", {"fold": 1}, r"scored candidates of series \S+: expected one of the folds 0, 2, found fold 1"),
        (
            "scored",
            {"fold": 2},
            r"scored candidates of series \S+, fold 2: expected a series of subset 2, found subset 0",
        ),
        ("scored", {"series_uid": "9.9"}, "series 9.9, fold 0: expected a series of subset 0, found no series"),
        ("validation", {"fold": 7}, "validation candidates of series .*: expected one of the folds 0, 2, found fold 7"),
        ("validation", {"fold": 2}, "validation candidates .* fold 2: expected a series of subset 3, found subset 1"),
    ],
)
def test_a_candidate_of_another_fold_is_refused(study, table, changes, expected):
    edited = getattr(study, table).reset_index(drop=True)
    for column, value in changes.items():
        edited.loc[0, column] = value
    with pytest.raises(ValueError, match=expected):
        replace(study, **{table: edited}).require_folds([0, 2], 4)
