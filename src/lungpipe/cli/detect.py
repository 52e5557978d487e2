"""`lungpipe detect`: nodules of one scan or of a whole dataset, as a CSV in LUNA16's columns."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli.errors import refusing
from lungpipe.cli.key_option import KeyFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(detect)


def detect(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A scan (.mhd, .mha, .nii, .nii.gz, a DICOM folder or .zip), a store (.ome.zarr), or a folder in "
            "LUNA16's layout (subset0, subset1, ...).",
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option(help="CSV: seriesuid,coordX,coordY,coordZ,probability,diameter_mm (world mm, LPS).")
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="A detector (.safetensors), a model's folder or bundle; else the model in the package."),
    ] = None,
    key_file: KeyFile = None,
    whole_volume: Annotated[
        bool, typer.Option("--whole-volume", help="Search everywhere, not only the lungs; for cropped scans.")
    ] = False,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Drop detections of a lower probability.")] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, or a GPU by its number: gpu:0.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; else one a core.")] = None,
    series: Annotated[str | None, typer.Option(help="Series UID to choose where a DICOM folder holds several.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress lines.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an output that exists.")] = False,
) -> None:
    """Find nodules: centre, diameter and probability of each, by falling probability for each scan.

    Exit code 1 where a scan of a dataset failed; the CSV then holds the others.
    """
    if out.exists() and not force:
        raise typer.BadParameter(f"{out}: expected no such file, found one; --force replaces it", param_hint="--out")

    from lungpipe.evaluation.submission import write_submission
    from lungpipe.patients.detect import Search, count_seen, detect_dataset, detect_scan, is_dataset, load_detector
    from lungpipe.services.job import share_of_cores
    from lungpipe.shipped import require_shipped_model

    num_threads = threads or share_of_cores(os.cpu_count() or 1)
    with refusing(ValueError):
        detector = load_detector(model or require_shipped_model(), device, num_threads, key_file=key_file)
        run = detect_dataset if is_dataset(source) else detect_scan
        search = Search(whole_volume, threshold, series, num_threads)
        found = run(detector, source, search, say=_ignore if quiet else typer.echo, on_remark=_warn)
        write_submission(found.detections, out, has_diameters=True)
    if num_seen := count_seen(detector.card, found.series):
        _warn(f"the model was trained or validated on {num_seen} of {len(found.series)} scans")
    for series_uid, reason in found.failures.items():
        typer.secho(f"lungpipe: {series_uid}: {reason}", err=True, fg=typer.colors.RED)
    if not quiet:
        num_done = len(found.series) - len(found.failures)
        typer.echo(f"{out}: {len(found.detections)} detections in {num_done} of {len(found.series)} scans")
    if found.failures:
        raise typer.Exit(1)


def _warn(remark: str) -> None:
    typer.secho(f"lungpipe: {remark}", err=True, fg=typer.colors.YELLOW)


def _ignore(line: str) -> None:
    """Say nothing."""
