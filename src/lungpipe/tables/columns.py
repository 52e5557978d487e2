"""Columns and contracts: what a table must hold to be written or read."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Kind = Literal["string", "int64", "float64", "bool"]


class ContractError(ValueError):
    """A table that breaks its contract; the message names table, column and row."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest value of a column; `is_above` leaves the smallest value itself out."""

    low: float
    high: float = math.inf
    is_above: bool = False

    @property
    def expectation(self) -> str:
        """The limits in words."""
        if self.high < math.inf:
            return f"{self.low:g} to {self.high:g}"
        return f"a value above {self.low:g}" if self.is_above else f"at least {self.low:g}"

    def hold(self, values: pd.Series) -> NDArray[np.bool_]:
        """Return which values lie within the limits."""
        numbers = values.to_numpy(dtype=np.float64)
        is_high_enough = numbers > self.low if self.is_above else numbers >= self.low
        held: NDArray[np.bool_] = is_high_enough & (numbers <= self.high)
        return held


SHARE = Limits(0, 1)
COUNT = Limits(0)
POSITIVE = Limits(0, is_above=True)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: kind, unit or meaning, and whether it may hold missing values.

    limits: of all values, of which none is infinite. pattern: regular expression that every text matches whole.
    """

    kind: Kind
    meaning: str
    is_nullable: bool = False
    limits: Limits | None = None
    pattern: str | None = None

    def allowed(self, values: pd.Series) -> NDArray[np.bool_]:
        """Return which values, of this column's kind, the column may hold; missing ones are allowed here."""
        missing = values.isna().to_numpy()
        if self.kind == "string":
            if self.pattern is None:
                return np.ones(len(values), dtype=np.bool_)
            return missing | values.str.fullmatch(self.pattern).fillna(False).to_numpy(dtype=np.bool_)
        if self.kind == "bool":
            return np.ones(len(values), dtype=np.bool_)
        fits = np.isfinite(values.to_numpy(dtype=np.float64))
        return missing | (fits if self.limits is None else fits & self.limits.hold(values))

    @property
    def expectation(self) -> str:
        """What `allowed` asks for, for messages."""
        if self.pattern is not None:
            return f"a text that matches {self.pattern}"
        return "finite numbers" if self.limits is None else self.limits.expectation


@dataclass(frozen=True, slots=True)
class Contract:
    """Columns of a table in order, and the columns that together identify a row."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...] = ()

    def conform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with exactly the contract's columns and dtypes.

        Raises:
            ContractError: a missing or unknown column, a value of another kind or beyond the column's limits, a missing
                value, a duplicate key.
        """
        expected, found = list(self.columns), list(table.columns)
        if len(expected) != len(found) or set(expected) != set(found):
            raise ContractError(f"table {self.name}: expected the columns {expected}, found {found}")
        numbered = table.reset_index(drop=True)
        conformed = pd.DataFrame({name: self._conform_column(name, numbered[name]) for name in expected})
        if self.key:
            doubles = conformed.duplicated(list(self.key))
            if doubles.any():
                row = conformed.loc[doubles.idxmax(), list(self.key)].to_dict()
                raise ContractError(f"table {self.name}: expected one row for each {self.key}, found two for {row}")
        return conformed

    def _conform_column(self, name: str, values: pd.Series) -> pd.Series:
        column = self.columns[name]
        missing = values.isna().to_numpy()
        if missing.any() and not column.is_nullable:
            row = int(np.argmax(missing))
            raise ContractError(f"table {self.name}, column {name}, row {row}: expected {column.kind}, found nothing")
        try:
            cast = values.astype(_dtype(column))
        except (TypeError, ValueError) as error:
            raise ContractError(f"table {self.name}, column {name}: expected {column.kind}, found {error}") from None
        # astype would cut 1.5 to 1 and turn every text into true
        is_lossy = (cast != values).to_numpy() if column.kind in ("int64", "bool") else np.zeros(len(cast), dtype=bool)
        if is_lossy.any():
            row = int(np.argmax(is_lossy))
            found = values.iloc[row]
            raise ContractError(f"table {self.name}, column {name}, row {row}: expected {column.kind}, found {found!r}")
        is_allowed = column.allowed(cast)
        if not is_allowed.all():
            row = int(np.argmin(is_allowed))
            found = cast.iloc[row]
            raise ContractError(
                f"table {self.name}, column {name}, row {row}: expected {column.expectation}, found {found}"
            )
        return cast

    def empty(self) -> pd.DataFrame:
        """Return a valid table without rows."""
        return pd.DataFrame({name: pd.Series(dtype=_dtype(column)) for name, column in self.columns.items()})


def _dtype(column: Column) -> str:
    return "str" if column.kind == "string" else column.kind
