"""Read and write tables under their contract."""

from pathlib import Path

import pandas as pd

from lungpipe.tables.atomic import replacing
from lungpipe.tables.contracts import Contract, ContractError


def write_table(table: pd.DataFrame, path: Path, contract: Contract) -> None:
    """Write a table as parquet, whole, after checking it; raises ContractError and writes nothing if it is invalid."""
    conformed = contract.conform(table)
    with replacing(path) as temporary:
        conformed.to_parquet(temporary, index=False)


def read_table(path: Path, contract: Contract) -> pd.DataFrame:
    """Read a parquet table and check it; the error names the file."""
    try:
        return contract.conform(pd.read_parquet(path))
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
