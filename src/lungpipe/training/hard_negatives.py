"""Search a detector's training volumes for its own false positives while it is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pandas as pd
from torch import distributed, nn

from lungpipe.models import Hardware, resolve
from lungpipe.sampling.feed import Feed
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.training.distributed import processes
from lungpipe.training.schedule import check_steps

COLUMNS = ("series_uid", *CENTER_COLUMNS)
Search = Callable[[nn.Module], pd.DataFrame]
"""Returns the positions (series_uid, center_*_mm) of a network's false positives."""


@dataclass(frozen=True, slots=True)
class Mining:
    """When a training searches for false positives, and how."""

    steps: tuple[int, ...]
    search: Search

    def add_to(self, feed: Feed, network: nn.Module) -> pd.DataFrame:
        """Search with the network, add the false positives to the feed, and return them.

        Of several processes the first searches and sends the positions to the others.
        """
        found: list[dict[str, list[Any]] | None] = [None]
        if processes().is_first:
            found = [to_state(self.search(network))]
        if processes().world_size > 1:
            distributed.broadcast_object_list(found, src=0)
        table = from_state(cast("Mapping[str, list[Any]]", found[0]))
        feed.add_hard(table)
        return table


def plan_mining(
    part: TrainedDetector,
    hardware: Hardware,
    volumes: Mapping[str, Any],
    findings: tuple[pd.DataFrame, pd.DataFrame],
) -> Mining | None:
    """Return the searches of a detector's training, or None for a recipe without searches.

    `volumes` are the stores of the training series; no other volume is searched.
    """
    settings = part.training.hard_negatives
    if not settings.num_rounds:
        return None
    find = cast("Callable[..., pd.DataFrame]", resolve(settings.builds))
    search = partial(find, part=part, hardware=hardware, volumes=volumes, findings=findings)
    return Mining(mining_steps(part), search)


def mining_steps(part: TrainedDetector) -> tuple[int, ...]:
    """Return the steps after which the training volumes are searched: checks, at least one before the last.

    A search after the last check would serve nothing.
    """
    settings, checks = part.training.hard_negatives, check_steps(part.training)[:-1]
    if not checks:
        return ()
    first, rounds = settings.first_fraction, settings.num_rounds
    wanted = [part.training.num_steps * (first + (1.0 - first) * number / rounds) for number in range(rounds)]
    return tuple(sorted({min(checks, key=lambda step: abs(step - place)) for place in wanted}))


def to_state(positions: pd.DataFrame) -> dict[str, list[Any]]:
    """Return positions as plain lists, for a resume file and for other processes."""
    return {name: positions[name].tolist() for name in COLUMNS}


def from_state(state: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return what `to_state` was given."""
    dtypes = dict.fromkeys(COLUMNS, "float64") | {"series_uid": "str"}
    return pd.DataFrame({name: pd.Series(state[name], dtype=dtypes[name]) for name in COLUMNS})


def join_positions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return all rows of several tables of positions."""
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else from_state({name: [] for name in COLUMNS})
