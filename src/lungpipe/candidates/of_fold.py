"""Read the candidates of a fold, and refuse another fold's."""

from pathlib import Path

import pandas as pd

from lungpipe.tables import CANDIDATES, ContractError, read_table


def read_fold_candidates(path: Path, fold: int) -> pd.DataFrame:
    """Return the table CANDIDATES of a file in which every candidate is of one fold.

    Raises:
        ContractError: no such table, or a candidate of another fold; the message names the file.
        OSError: no such file.
    """
    table = read_table(path, CANDIDATES)
    others = table[table["fold"] != fold]
    if len(others):
        first = others.iloc[0]
        raise ContractError(
            f"{path}: expected candidates of fold {fold}, found {first['candidate_id']} of fold {first['fold']}"
        )
    return table
