"""Contenders side by side: each round runs all of them, starting with another one, and medians are told with ranges."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain


def alternate(names: Sequence[str], num_rounds: int) -> Iterator[str]:
    """Yield every name once a round; whoever comes first in one round comes last in the next."""
    for index in range(num_rounds):
        start = index % len(names)
        yield from (*names[start:], *names[:start])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median of values, with their range."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def ratios(values: Sequence[float], bases: Sequence[float]) -> list[float]:
    """Return value / base, round by round."""
    return [value / base for value, base in zip(values, bases, strict=True)]


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown, each row as soon as it is there."""
    for row in chain((header, ["---"] * len(header)), rows):
        print("| " + " | ".join(row) + " |", flush=True)
