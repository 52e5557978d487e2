"""`lungpipe evaluate` and `lungpipe compare`: evaluate the submissions of any tool."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungpipe.cli.errors import refusing
from lungpipe.cli.progress import watching

if TYPE_CHECKING:
    from lungpipe.evaluation.reference import Reference

Evaluated = Annotated[
    Path, typer.Argument(help="A submission (CSV), or the folder of a study or of its evaluation, with its tables.")
]
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
SAMPLES = "bootstrap samples"


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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no figures; warnings stay.")] = False,
) -> None:
    """Evaluate a submission by the official LUNA16 rules: FROC curve, CPM with interval, strata, warnings.

    An official result needs --excluded and --series. Warnings are printed to stderr.
    """
    from lungpipe.cli.evaluation_text import print_evaluation, print_warnings
    from lungpipe.evaluation.evaluate import evaluate, write_evaluation
    from lungpipe.evaluation.reference import Reference
    from lungpipe.evaluation.submission import fingerprints, read_submission, read_subsets
    from lungpipe.reporting.froc_figure import draw_froc
    from lungpipe.tables.errors import InputError

    with refusing(InputError), watching(is_quiet=quiet) as watch:
        marks = read_submission(submission)
        reference = Reference.read(annotations, excluded, series)
        evaluation = evaluate(
            marks,
            reference.nodules,
            reference.exclusions,
            reference.series_uids,
            num_bootstraps=bootstraps,
            seed=seed,
            subset_of=read_subsets(subsets) if subsets else None,
            on_sample=partial(watch.show, SAMPLES),
        )
        files = {"submission": submission, "annotations": annotations, "excluded": excluded, "series": series}
        evaluation = replace(evaluation, summary=evaluation.summary | {"inputs": fingerprints(files)})
        write_evaluation(evaluation, out)
        draw_froc(evaluation.froc, evaluation.band, out / "froc.png")
    if not quiet:
        print_evaluation(evaluation.summary, out, f"listed in {series}" if series else "that the files name")
    print_warnings(evaluation.summary["warnings"])


def compare(
    submission_a: Evaluated,
    submission_b: Evaluated,
    *,
    annotations: Annotated[
        Path | None, typer.Option(help="CSV of the nodules; default: the tables of a study that is compared.")
    ] = None,
    excluded: Excluded = None,
    series: Series = None,
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.json.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; the figures are printed.")] = False,
    runs: Annotated[bool, typer.Option("--runs", help="A and B are names or ids of studies' runs in MLflow.")] = False,
    store: Annotated[
        str | None, typer.Option(help="MLflow's store for --runs; default: MLFLOW_TRACKING_URI, or that of results/.")
    ] = None,
) -> None:
    """Compare two studies or submissions on the same scans: difference in CPM (B minus A) with 95 % interval and p.

    Studies are given by their folders (results/phantom/flagship) and bring their own tables. With --runs, figures and
    settings are read from MLflow, and nothing is computed.
    """
    if runs or store is not None:
        from lungpipe.cli.compare_runs import compare_runs

        with refusing(RuntimeError):
            compare_runs(str(submission_a), str(submission_b), store)
        return
    from lungpipe.cli.evaluation_text import print_comparison, print_warnings
    from lungpipe.evaluation.comparison import compare_submissions
    from lungpipe.evaluation.matching import match, named_series
    from lungpipe.evaluation.protocol import MISSING_SERIES_LIST, protocol_warnings
    from lungpipe.evaluation.submission import read_submission
    from lungpipe.settings import SettingsError
    from lungpipe.tables import DigestError, write_json
    from lungpipe.tables.errors import InputError

    with refusing(InputError, DigestError, SettingsError), watching(is_quiet=quiet) as watch:
        files, reference = _find_compared([submission_a, submission_b], annotations, excluded, series)
        marks_a, marks_b = (read_submission(file) for file in files)
        nodules, exclusions, listed = reference.nodules, reference.exclusions, reference.series_uids
        scans = named_series(nodules, exclusions, marks_a, marks_b) if listed is None else listed
        settings = _settings_differences(submission_a, submission_b)
        a, b = (match(marks, nodules, exclusions, scans) for marks in (marks_a, marks_b))
        on_sample = partial(watch.show, SAMPLES)
        summary = compare_submissions(a, b, num_bootstraps=bootstraps, seed=seed, on_sample=on_sample)
        summary["warnings"] = [
            *([MISSING_SERIES_LIST] if listed is None else []),
            *(f"A: {text}" for text in protocol_warnings(marks_a, nodules, exclusions, a)),
            *(f"B: {text}" for text in protocol_warnings(marks_b, nodules, exclusions, b)),
        ]
        if out is not None:
            write_json(out / "comparison.json", summary)
    print_comparison(summary, str(submission_a), str(submission_b))
    print_warnings(summary["warnings"])
    for line in settings:
        typer.echo(line)


def _settings_differences(path_a: Path, path_b: Path) -> list[str]:
    """Return a line for each setting in which two studies differ; none unless both are folders of reported studies."""
    if not (path_a.is_dir() and path_b.is_dir()):
        return []
    from lungpipe.evaluation.reference import find_evaluation
    from lungpipe.settings.difference import list_differences, read_settings

    a, b = (read_settings(find_evaluation(path).parent) for path in (path_a, path_b))
    return list_differences(a, b) if a is not None and b is not None else []


def _find_compared(
    compared: list[Path], annotations: Path | None, excluded: Path | None, series: Path | None
) -> "tuple[list[Path], Reference]":
    """Return the two submissions and what they are compared with: the files of the options, or a study's tables."""
    from lungpipe.evaluation.reference import SUBMISSION, Reference, find_evaluation, require_same

    for path in compared:
        if not path.exists():
            raise FileNotFoundError(f"{path}: expected a submission or the folder of a study, found none")
    folders = [find_evaluation(path) for path in compared if path.is_dir()]
    files = [find_evaluation(path) / SUBMISSION if path.is_dir() else path for path in compared]
    if annotations is not None:
        return files, Reference.read(annotations, excluded, series)
    if excluded is not None or series is not None or not folders:
        found = "none" if folders else "none, and no folder of a study"
        raise typer.BadParameter(f"expected the annotations, found {found}", param_hint="--annotations")
    require_same(folders[0], folders[-1])
    return files, Reference.of_folder(folders[0])
