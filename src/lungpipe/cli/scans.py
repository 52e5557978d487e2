"""Options and messages of the commands that read scans outside a study."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A scan (.mhd, .mha, .nii, .nii.gz, a DICOM folder or .zip), a store (.ome.zarr), or a folder in "
        "LUNA16's layout (subset0, subset1, ...).",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, or a GPU by its number: gpu:0.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: one per core.")]
Series = Annotated[str | None, typer.Option(help="Series UID, if a DICOM folder has several series.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress lines.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an output that exists.")]


def refuse_existing(out: Path, *, is_forced: bool) -> None:
    """Refuse an output that exists, unless it may be replaced."""
    if out.exists() and not is_forced:
        raise typer.BadParameter(f"{out}: expected no such file, found one; --force replaces it", param_hint="--out")


def say_nothing(line: str) -> None:
    """Print nothing; takes the place of a function that prints progress lines."""


def warn(remark: str) -> None:
    """Print a remark to stderr, in yellow."""
    typer.secho(f"lungpipe: {remark}", err=True, fg=typer.colors.YELLOW)


def warn_of_seen(num_seen: int, num_scans: int) -> None:
    """Say that the model learned from some of the scans, if it did."""
    if num_seen:
        warn(f"the model was trained or validated on {num_seen} of {num_scans} scans")


def name_failures(reasons: Iterable[str]) -> None:
    """Print every reason of a failure to stderr, in red."""
    for reason in reasons:
        typer.secho(f"lungpipe: {reason}", err=True, fg=typer.colors.RED)
