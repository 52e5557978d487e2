"""Parts of a study's truth."""

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
