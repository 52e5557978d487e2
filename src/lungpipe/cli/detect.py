"""`lungpipe detect`: nodules of one scan or of a whole dataset, as a CSV in LUNA16's columns."""

from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import name_failures, say_nothing, warn, warn_of_seen
from lungpipe.terms import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(detect)


def detect(
    source: options.ScanOrDataset,
    *,
    out: Annotated[
        Path, typer.Option(help="CSV: seriesuid,coordX,coordY,coordZ,probability,diameter_mm (world mm, LPS).")
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="A detector (.safetensors), a model's folder or bundle; else the model in the package."),
    ] = None,
    key_file: options.KeyFile = None,
    whole_volume: Annotated[
        bool, typer.Option("--whole-volume", help="Search everywhere, not only the lungs; for cropped scans.")
    ] = False,
    detector_only: Annotated[
        bool, typer.Option("--detector-only", help="Probabilities of the detector alone, without the model's scorer.")
    ] = False,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Drop detections of a lower probability.")] = 0.0,
    device: options.Device = "auto",
    threads: options.Threads = None,
    series: options.Series = None,
    quiet: options.Quiet = False,
    force: options.Force = False,
) -> None:
    """Find nodules: centre, diameter and probability of each, by falling probability for each scan.

    The probability is that of detector and scorer where the model has both.

    Exit code 1 where a scan of a dataset failed; the CSV then holds the others.
    """
    options.refuse_existing(out, is_forced=force)

    from lungpipe.evaluation.submission import write_submission
    from lungpipe.patients.detect import Search, count_seen, detect_dataset, detect_scan, is_dataset, load_stages
    from lungpipe.shipped import require_shipped_model

    say = say_nothing if quiet else typer.echo
    num_threads = options.count_threads(threads)
    with refusing(ValueError):
        path = model or require_shipped_model()
        detector = load_stages(path, device, num_threads, key_file=key_file, is_alone=detector_only)
        run = detect_dataset if is_dataset(source) else detect_scan
        search = Search(whole_volume, threshold, series, num_threads)
        found = run(detector, source, search, say=say, on_remark=warn)
        write_submission(found.detections, out, has_diameters=True)
    warn_of_seen(count_seen(detector.card, found.series), len(found.series))
    name_failures(f"{series_uid}: {reason}" for series_uid, reason in found.failures.items())
    num_done = len(found.series) - len(found.failures)
    say(f"{out}: {counted(len(found.detections), 'detection')} in {num_done} of {counted(len(found.series), 'scan')}")
    if found.failures:
        raise typer.Exit(1)
