"""Arguments and options that several commands share, and what follows from their values."""

import os
from pathlib import Path
from typing import Annotated

import typer

ScanOrDataset = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A scan (.mhd, .mha, .nii, .nii.gz, a DICOM folder or .zip), a store (.ome.zarr), or a folder in "
        "LUNA16's layout (subset0, subset1, ...).",
    ),
]
Scan = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A scan (.mhd, .mha, .nii, .nii.gz, a DICOM folder or .zip), or a store (.ome.zarr).",
    ),
]
ScorerPath = Annotated[
    Path | None,
    typer.Option(help="A trained scorer (.safetensors), a model's folder or bundle; else the model in the package."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, or a GPU by its number: gpu:0.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: one per core.")]
Series = Annotated[str | None, typer.Option(help="Series UID, if a DICOM folder has several series.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress lines.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an output that exists.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the key of an encrypted bundle (64 hex digits); else LUNGPIPE_BUNDLE_KEY or "
        "LUNGPIPE_BUNDLE_PASSPHRASE in the environment."
    ),
]


def refuse_existing(out: Path, *, is_forced: bool, option: str = "--out") -> None:
    """Refuse an output that exists, unless it may be replaced; `option` names the output on the command line."""
    if out.exists() and not is_forced:
        raise typer.BadParameter(f"{out}: expected no such file, found one; --force replaces it", param_hint=option)


def count_threads(wanted: int | None) -> int:
    """Return the number of threads that a command uses: the wanted number, or one per core."""
    from lungpipe.services.job import share_of_cores

    return wanted or share_of_cores(os.cpu_count() or 1)
