"""`lungpipe score`: nodule or not, malignancy and readers' ratings at given positions, as a CSV in LUNA16's columns."""

from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import name_failures, say_nothing, warn, warn_of_seen


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score")(score)


def score(
    source: options.ScanOrDataset,
    *,
    candidates: Annotated[
        Path,
        typer.Option(
            help="CSV of positions: seriesuid,coordX,coordY,coordZ (world mm, LPS), optionally diameter_mm, and "
            "probability (a detector's, which is combined with the scorer's)."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="CSV: the positions with probability, malignancy, and the expected ratings rating_*.")
    ],
    model: options.ScorerPath = None,
    key_file: options.KeyFile = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    series: options.Series = None,
    quiet: options.Quiet = False,
    force: options.Force = False,
) -> None:
    """Score given positions: how probable a nodule is, and how readers would rate the nodule.

    Malignancy is agreement with readers' ratings, not a diagnosis. Exit code 1 where rows were refused (positions
    outside their scan) or a scan of a dataset failed; the CSV then holds the others.
    """
    options.refuse_existing(out, is_forced=force)

    from lungpipe.evaluation.submission import read_positions, write_positions
    from lungpipe.patients.detect import Search, count_seen
    from lungpipe.patients.score import load_finder, load_scorer, score_positions
    from lungpipe.shipped import require_shipped_model

    num_threads = options.count_threads(threads)
    say = say_nothing if quiet else typer.echo
    with refusing(ValueError):
        table = read_positions(candidates)
        path = model or require_shipped_model()
        scorer = load_scorer(path, device, num_threads, key_file=key_file)
        finder = load_finder(path, table, device, num_threads, key_file=key_file)
        # no lungs are needed
        search = Search(is_whole=True, series_uid=series, threads=num_threads)
        told = {"say": say, "on_remark": warn}
        scored = score_positions(scorer, source, table, search, detector=finder, **told)
        write_positions(scored.table, out)
    warn_of_seen(count_seen(scorer.card, scored.series), len(scored.series))
    if scored.num_others:
        warn(f"{candidates}: {scored.num_others} of {len(table)} rows are of other series, and are left out")
    reasons = [f"{candidates}, row {row + 1}: {reason}" for row, reason in scored.refused.items()]
    name_failures([*reasons, *(f"{series_uid}: {reason}" for series_uid, reason in scored.failures.items())])
    say(f"{out}: {len(scored.table)} of {len(table)} positions scored")
    if scored.refused or scored.failures:
        raise typer.Exit(1)
