"""`lungpipe convert`: predictions of other tools as a submission for `lungpipe evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.terms import counted


def register(app: typer.Typer) -> None:
    """Add the command `convert`."""
    app.command("convert")(convert)


def convert(
    tool: Annotated[Literal["nndetection", "monai"], typer.Argument(help="The tool that wrote the predictions.")],
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="nndetection: the folder val_predictions or test_predictions, or its files <case>_boxes.pkl. "
            "monai: the JSON files of the bundle or of the tutorial, one a fold."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="CSV: seriesuid,coordX,coordY,coordZ,probability (world mm, LPS).")],
    force: options.Force = False,
) -> None:
    """Convert the predictions of nnDetection or MONAI to a submission in LUNA16's format."""
    from lungpipe.evaluation.other_tools import read_monai, read_nndetection
    from lungpipe.evaluation.submission import write_submission
    from lungpipe.tables.errors import InputError

    options.refuse_existing(out, is_forced=force)
    with refusing(InputError):
        marks = {"nndetection": read_nndetection, "monai": read_monai}[tool](sources)
        write_submission(marks, out)
    typer.echo(f"{out}: {counted(len(marks), 'mark')} in {counted(marks['series_uid'].nunique(), 'scan')}")
