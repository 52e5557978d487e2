"""A digest of a table's rows, kept in the table's own file: rows that another program changed are noticed.

pandas and pyarrow keep what a parquet file says about its table when they read, change and write the table, and so keep
the digest of the rows as they were. A table without a digest is of an earlier version.
"""

import hashlib

import numpy as np
import pandas as pd

SEAL = "lungpipe_sha256"
"""Key of the digest in a table's attributes, which pandas writes into the file."""


def seal(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table (of a contract) with the digest of its rows as an attribute."""
    sealed = table.copy(deep=False)
    sealed.attrs = {SEAL: digest_rows(table)}
    return sealed


def is_sealed(table: pd.DataFrame, found: object) -> bool:
    """Return whether the digest in a file is that of the table's rows; True for a table without a digest."""
    return found is None or found == digest_rows(table)


def digest_rows(table: pd.DataFrame) -> str:
    """Return the SHA-256 of the columns' names and types and of all values, in their order, as 64 hex digits."""
    digest = hashlib.sha256(f"{len(table)} rows\n".encode())
    for name, column in table.items():
        digest.update(f"{name} {column.dtype}\n".encode())
        digest.update(_content(column))
    return digest.hexdigest()


def _content(column: pd.Series) -> bytes:
    if pd.api.types.is_string_dtype(column.dtype):
        # most columns of text repeat few texts, and each different text is written out once
        codes, texts = pd.factorize(column, use_na_sentinel=False)
        # repr marks the ends of texts, and tells a missing text from every other
        written = [repr(text) if isinstance(text, str) else "missing" for text in texts]
        return "\n".join([written[code] for code in codes.tolist()]).encode()
    values = column.to_numpy()
    if values.dtype.kind == "f":
        # a missing value may have other bits when it is read back
        values = np.where(np.isnan(values), np.nan, values)
    return values.tobytes()
