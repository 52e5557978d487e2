"""The candidates of one fold."""

import pandas as pd
import pytest

from lungpipe.candidates.of_fold import read_fold_candidates
from lungpipe.tables import CANDIDATES, ContractError, write_table


@pytest.fixture
def path(tmp_path):
    def write(*folds):
        rows = [
            {
                "candidate_id": f"1.2#c{row}",
                "series_uid": "1.2",
                **dict.fromkeys(("center_z_mm", "center_y_mm", "center_x_mm"), 1.0),
                "diameter_mm": 5.0,
                "detector_score": 0.5,
                "fold": fold,
            }
            for row, fold in enumerate(folds)
        ]
        table = CANDIDATES.conform(pd.DataFrame(rows)) if rows else CANDIDATES.empty()
        write_table(table, tmp_path / "mined.parquet", CANDIDATES)
        return tmp_path / "mined.parquet"

    return write


def test_candidates_of_the_fold_are_read(path):
    assert len(read_fold_candidates(path(3, 3), 3)) == 2
    assert len(read_fold_candidates(path(), 3)) == 0


@pytest.mark.parametrize("other", [-1, 0])
def test_a_candidate_of_another_fold_is_refused_with_its_file(path, other):
    expected = rf"mined\.parquet: expected candidates of fold 3, found 1.2#c1 of fold {other}"
    with pytest.raises(ContractError, match=expected):
        read_fold_candidates(path(3, other), 3)
