"""Texts of figures and warnings on the page: numbers, intervals, and sentences without identifiers."""

import re
from collections.abc import Iterable, Sequence

UNDEFINED = "not defined"

_SERIES_UID = re.compile(r"\b\d+(?:\.\d+){2,}\b")
_LISTING_CODES = ("scans_without_predictions", "unknown_series", "ties_at_cut")
"""Warnings of the evaluation that end in a colon and a list of series."""

_LABEL_RULES = {
    "at_least_two_readers_ge_4": "two readers or more rate 4 or 5",
    "mean_gt_3": "mean rating above 3",
    "median": "median rating above 3",
    "exclude_3": "mean rating above 3, exactly 3 left out",
}


def number(value: float | None, digits: int = 3) -> str:
    """Return a figure as text; an undefined figure is named, never an empty cell."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float | None] | None, digits: int = 3) -> str:
    """Return lower and upper bound as text."""
    if bounds is None or any(value is None for value in bounds):
        return UNDEFINED
    low, high = (number(value, digits) for value in bounds)
    return f"{low} to {high}"


def label_rule(name: str) -> str:
    """Return a rule for malignancy labels in words."""
    return _LABEL_RULES.get(name, words(name))


def words(name: str) -> str:
    """Return a column's or a key's name as words."""
    return name.replace("_", " ")


def without_identifiers(warning: str, identifiers: Iterable[str]) -> str:
    """Return a warning of the evaluation without the series and patients in its text."""
    code, _, text = warning.partition(":")
    kept = f"{code}:{text.rpartition(':')[0] or text}" if code in _LISTING_CODES else warning
    for identifier in sorted(identifiers, key=len, reverse=True):
        kept = re.sub(rf"(?<![\w.-]){re.escape(identifier)}(?![\w.-])", "(left out)", kept)
    return _SERIES_UID.sub("(left out)", kept)
