"""`lungpipe predict`: the nodules of a scan, or of a folder of scans, as tables, masks and pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.predict_progress import Reporter

if TYPE_CHECKING:
    from lungpipe.delivery.many import Search
    from lungpipe.delivery.scans import Input
    from lungpipe.prediction.model import LoadedModel

REFUSED = 3
"""Exit code for a scan that can be read and is refused for its content."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)


def predict(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A scan (.mhd, .mha, .nii, .nii.gz, a DICOM folder or .zip, a store), or a folder of many scans.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="New or empty folder for the outputs; many scans: also an earlier one.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="A model's folder, a bundle (.lungpipe), or a model file (repeatable)."),
    ] = None,
    key_file: options.KeyFile = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Drop candidates of a lower probability.")] = 0.5,
    device: options.Device = "auto",
    threads: options.Threads = None,
    series: options.Series = None,
    whole_volume: Annotated[
        bool, typer.Option("--whole-volume", help="Search everywhere, require no lungs; for cropped scans.")
    ] = False,
    masks: Annotated[bool, typer.Option(help="Write lungs.nii.gz and nodules.nii.gz.")] = True,
    pictures: Annotated[bool, typer.Option(help="Draw overlays/*.png.")] = True,
    dicom: Annotated[bool, typer.Option(help="Write dicom/*.dcm (segmentation, report) for DICOM input.")] = True,
    viewer: Annotated[
        bool, typer.Option(help="Write viewer.html, a page that shows the scan and its candidates.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, a line for each scan.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an earlier prediction.")] = False,
) -> None:
    """Find nodules and write candidates.csv, result.json, masks and pictures. Research use only, not a medical device.

    Exit codes: 0 done; 1 at least one scan of many was refused or failed; 2 bad input; 3 a scan that was refused
    (slices too thick or too few, no lungs). A refused scan leaves no output.
    """
    from lungpipe.delivery.many import Search
    from lungpipe.delivery.outputs import Wanted, check_output
    from lungpipe.delivery.scans import list_inputs
    from lungpipe.prediction.model import load_model

    reporter = Reporter(is_quiet=quiet, as_json=as_json)
    with refusing(ValueError):
        scans = list_inputs(source)
        if scans is None:
            check_output(out, is_forced=force)
        elif series is not None:
            raise typer.BadParameter("expected one scan, found a folder of many", param_hint="--series")
        num_threads = options.count_threads(threads)
        loaded = load_model(model, device=device, threads=num_threads, key_file=key_file)
        wanted = Wanted(masks, pictures, dicom, viewer, force, source, reporter.stage)
        search = Search(threshold, whole_volume, wanted)
        if scans is None:
            _predict_one(source, out, loaded, search, series=series, reporter=reporter)
        else:
            _predict_many(scans, out, loaded, search, reporter=reporter)


def _predict_one(
    source: Path, out: Path, model: "LoadedModel", search: "Search", *, series: str | None, reporter: Reporter
) -> None:
    from lungpipe.delivery.outputs import write_prediction
    from lungpipe.prediction.document import Refusal
    from lungpipe.prediction.limits import RefusedScanError
    from lungpipe.prediction.predict import predict as find
    from lungpipe.prediction.privacy import without_identifiers

    try:
        with reporter.watching():
            found = find(
                source,
                model=model,
                threshold=search.threshold,
                series_uid=series,
                is_whole=search.is_whole,
                on_stage=reporter.stage,
            )
            result = write_prediction(found, out, model, search.wanted)
    except RefusedScanError as error:
        message = without_identifiers(str(error), source)
        reporter.refuse(Refusal(reason=error.reason, message=message), str(error))
        raise typer.Exit(2 if error.reason == "unusable" else REFUSED) from None
    for remark in result.scan.remarks:
        reporter.remark(remark)
    if result.model.was_trained_on_scan:
        reporter.remark("the model was trained or validated on this scan")
    reporter.show(result, out)


def _predict_many(
    scans: tuple["Input", ...], out: Path, model: "LoadedModel", search: "Search", *, reporter: Reporter
) -> None:
    from lungpipe.delivery.many import predict_many

    with reporter.watching(len(scans)):
        outcomes = predict_many(
            scans, out, model, search, on_done=lambda number, outcome: reporter.advance(number, len(scans), outcome)
        )
    num_done = sum(outcome.document.status == "done" for outcome in outcomes)
    reporter.end(f"{out}: {num_done} of {len(outcomes)} scans done; scans.csv has a row for each")
    if num_done < len(outcomes):
        raise typer.Exit(1)
