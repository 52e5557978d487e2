"""Read and write tables under their contract."""

import errno
from pathlib import Path

import pandas as pd

from lungpipe.tables.atomic import replacing
from lungpipe.tables.columns import Contract, ContractError
from lungpipe.tables.machine import is_of_machine
from lungpipe.tables.regular import require_regular
from lungpipe.tables.seal import SEAL, is_sealed, seal


def write_table(table: pd.DataFrame, path: Path, contract: Contract) -> None:
    """Write a table as parquet, whole, with a checksum of every page and a digest of the rows.

    Raises:
        ContractError: an invalid table; nothing is written.
        WriteError: the disk does not take the file, or what is read back is another table.
    """
    conformed = contract.conform(table)
    with replacing(path) as temporary:
        seal(conformed).to_parquet(temporary, index=False, write_page_checksum=True)
        if not _read(temporary).equals(conformed):
            raise OSError(errno.EIO, "another table when it is read back", str(temporary))


def read_table(path: Path, contract: Contract) -> pd.DataFrame:
    """Read a parquet table and check it.

    Raises:
        ContractError: no table of this contract, one with damaged pages, or rows that were edited since they were
            written (see `tables.seal`); the message names the file.
        OSError: no such file, or one that cannot be read.
    """
    require_regular(path)
    try:
        found = _read(path)
        digest = found.attrs.pop(SEAL, None)
        table = contract.conform(found)
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
    except Exception as error:
        # a damaged file raises many kinds of errors
        if is_of_machine(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ContractError(f"{path}: expected the table {contract.name} in parquet, found {reason}") from None
    if not is_sealed(table, digest):
        raise ContractError(f"{path}: table {contract.name}: expected the rows as they were written, found edited ones")
    return table


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV without its index, whole, every digit kept; unknown values stay empty.

    Raises:
        WriteError: the disk does not take the file.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read(path: Path) -> pd.DataFrame:
    # imported where a table is read; pandas would import pyarrow's data sets too, which one file does not need
    from pyarrow import parquet

    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        table: pd.DataFrame = file.read(use_pandas_metadata=True).to_pandas()
    return table
