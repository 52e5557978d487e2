"""Read and write tables under their contract."""

import errno
from pathlib import Path

import pandas as pd

from lungpipe.tables.atomic import replacing
from lungpipe.tables.columns import Contract, ContractError
from lungpipe.tables.machine import is_of_machine
from lungpipe.tables.regular import require_regular


def write_table(table: pd.DataFrame, path: Path, contract: Contract) -> None:
    """Write a table as parquet, whole, with a checksum of every page.

    Raises:
        ContractError: an invalid table; nothing is written.
        WriteError: the disk does not take the file, or what is read back is another table.
    """
    conformed = contract.conform(table)
    with replacing(path) as temporary:
        conformed.to_parquet(temporary, index=False, write_page_checksum=True)
        if not _read(temporary).equals(conformed):
            raise OSError(errno.EIO, "another table when it is read back", str(temporary))


def read_table(path: Path, contract: Contract) -> pd.DataFrame:
    """Read a parquet table and check it.

    Raises:
        ContractError: no table of this contract, or one with damaged pages; the message names the file.
        OSError: no such file, or one that cannot be read.
    """
    require_regular(path)
    try:
        return contract.conform(_read(path))
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
    except Exception as error:
        # a damaged file raises many kinds of errors
        if is_of_machine(error):
            raise
        found = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ContractError(f"{path}: expected the table {contract.name} in parquet, found {found}") from None


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV without its index, whole, every digit kept; unknown values stay empty.

    Raises:
        WriteError: the disk does not take the file.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, page_checksum_verification=True)
