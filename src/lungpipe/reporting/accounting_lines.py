"""Sentences about the prepared scans and their lungs."""

from collections.abc import Iterator

import pandas as pd

from lungpipe.reporting.wording import number


def accounting_line(accounting: pd.DataFrame) -> str:
    """Return `n of n scans prepared` from the table's row of totals."""
    total = _total(accounting)
    return f"{total['prepared']} of {total['expected']} scans prepared"


def lung_notes(accounting: pd.DataFrame) -> Iterator[str]:
    """Yield sentences about the lung mask: nodules outside the mask, and the overlap with reference masks."""
    total = _total(accounting)
    num_nodules, num_references = int(total["nodules"]), int(total["references"])
    share = f" ({total['outside_lungs_percent']:.1f} %)" if num_nodules else ""
    yield f"{total['outside_lungs']} of {num_nodules} annotated nodules{share} are outside the dilated lung mask."
    if num_references:
        num_compared = num_references - int(total["references_not_compared"])
        dice = f"Dice median {_figure(total, 'lungs_dice_median')}, smallest {_figure(total, 'lungs_dice_min')}"
        yield f"Compared with reference masks ({num_compared} of {num_references} compared): {dice}."


def is_complete(accounting: pd.DataFrame) -> bool:
    """Return whether every expected scan was prepared."""
    return bool((accounting["prepared"] == accounting["expected"]).all())


def _total(accounting: pd.DataFrame) -> pd.Series:
    return accounting.loc[accounting["subset"].astype(str) == "total"].iloc[0]


def _figure(total: pd.Series, name: str) -> str:
    return number(None if pd.isna(total[name]) else float(total[name]))
