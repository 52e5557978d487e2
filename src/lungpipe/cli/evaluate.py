"""`lungpipe evaluate` and `lungpipe compare`: evaluate the submissions of any tool."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungpipe.cli.errors import refusing

if TYPE_CHECKING:
    import pandas as pd

Submission = Annotated[Path, typer.Argument(help="CSV: seriesuid,coordX,coordY,coordZ,probability (world mm, LPS).")]
Annotations = Annotated[Path, typer.Option(help="CSV of the nodules: seriesuid,coordX,coordY,coordZ,diameter_mm.")]
Excluded = Annotated[
    Path | None,
    typer.Option(help="CSV of findings on which marks are neither right nor wrong; needed for an official result."),
]
Series = Annotated[
    Path | None, typer.Option(help="List of all scans, one series UID per row; needed for an official result.")
]
Subsets = Annotated[Path | None, typer.Option(help="CSV with seriesuid and subset, for figures by subset.")]
Bootstraps = Annotated[int, typer.Option(min=1, help="Bootstrap samples for each 95 % interval.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]


def register(app: typer.Typer) -> None:
    """Add the commands of the evaluation."""
    app.command("evaluate")(evaluate)
    app.command("compare")(compare)


def evaluate(
    submission: Submission,
    *,
    annotations: Annotations,
    out: Annotated[
        Path, typer.Option(help="Folder for evaluation.json, the curve, its band, froc.png and matches.parquet.")
    ],
    excluded: Excluded = None,
    series: Series = None,
    subsets: Subsets = None,
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
) -> None:
    """Evaluate a submission by the official LUNA16 rules: FROC curve, CPM with interval, strata, warnings.

    An official result needs --excluded and --series. Warnings are printed to stderr.
    """
    from lungpipe.cli.evaluation_text import print_evaluation
    from lungpipe.evaluation.evaluate import evaluate, write_evaluation
    from lungpipe.evaluation.submission import fingerprints, read_submission, read_subsets
    from lungpipe.reporting.froc_figure import draw_froc
    from lungpipe.tables.errors import InputError

    with refusing(InputError):
        marks = read_submission(submission)
        evaluation = evaluate(
            marks,
            *_read_reference(annotations, excluded, series),
            num_bootstraps=bootstraps,
            seed=seed,
            subset_of=read_subsets(subsets) if subsets else None,
        )
        files = {"submission": submission, "annotations": annotations, "excluded": excluded, "series": series}
        evaluation = replace(evaluation, summary=evaluation.summary | {"inputs": fingerprints(files)})
        write_evaluation(evaluation, out)
        draw_froc(evaluation.froc, evaluation.band, out / "froc.png")
    print_evaluation(evaluation.summary, out)


def compare(
    submission_a: Submission,
    submission_b: Submission,
    *,
    annotations: Annotations,
    excluded: Excluded = None,
    series: Series = None,
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.json.")] = None,
) -> None:
    """Compare two submissions on the same scans: difference in CPM (B minus A) with 95 % interval and p."""
    from lungpipe.cli.evaluation_text import print_comparison
    from lungpipe.evaluation.comparison import compare_submissions
    from lungpipe.evaluation.matching import match, named_series
    from lungpipe.evaluation.protocol import MISSING_SERIES_LIST, protocol_warnings
    from lungpipe.evaluation.submission import read_submission
    from lungpipe.tables import write_json
    from lungpipe.tables.errors import InputError

    with refusing(InputError):
        marks_a, marks_b = read_submission(submission_a), read_submission(submission_b)
        nodules, exclusions, listed = _read_reference(annotations, excluded, series)
        scans = named_series(nodules, exclusions, marks_a, marks_b) if listed is None else listed
        a, b = (match(marks, nodules, exclusions, scans) for marks in (marks_a, marks_b))
        summary = compare_submissions(a, b, num_bootstraps=bootstraps, seed=seed)
        summary["warnings"] = [
            *([MISSING_SERIES_LIST] if listed is None else []),
            *(f"A: {text}" for text in protocol_warnings(marks_a, nodules, exclusions, a)),
            *(f"B: {text}" for text in protocol_warnings(marks_b, nodules, exclusions, b)),
        ]
        if out is not None:
            write_json(out / "comparison.json", summary)
    print_comparison(summary, str(submission_a), str(submission_b))


def _read_reference(
    annotations: Path, excluded: Path | None, series: Path | None
) -> "tuple[pd.DataFrame, pd.DataFrame | None, list[str] | None]":
    from lungpipe.evaluation.submission import read_findings, read_series_list

    return (
        read_findings(annotations),
        read_findings(excluded) if excluded else None,
        read_series_list(series) if series else None,
    )
