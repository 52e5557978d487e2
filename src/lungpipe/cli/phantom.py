"""`lungpipe phantom`: the embedded phantom, LUNA16 in miniature, without a workflow around it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli.errors import refusing


def register(app: typer.Typer) -> None:
    """Add the phantom's command."""
    app.command("phantom")(phantom)


def phantom(
    out: Annotated[Path, typer.Argument(help="New or empty folder; it takes LUNA16's layout.")],
    *,
    subsets: Annotated[int, typer.Option(min=1, max=100, help="Subset folders, one per fold.")] = 10,
    scans_per_subset: Annotated[
        int | None, typer.Option(min=1, help="Scans in each; else 4, or 1 of full size.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 2016,
    full_size: Annotated[bool, typer.Option("--full-size", help="512 x 512 x 300 voxels a scan, 160 MB.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; else one a core.")] = None,
) -> None:
    """Write the embedded phantom: chests with nodules, drawn from a seed, with LUNA16's tables."""
    from lungpipe.phantom import FULL_SIZE, write_phantom
    from lungpipe.services.job import share_of_cores
    from lungpipe.settings import PhantomSettings

    settings = FULL_SIZE if full_size else PhantomSettings()
    if scans_per_subset is not None:
        settings = settings.model_copy(update={"scans_per_subset": scans_per_subset})
    with refusing(ValueError):
        _check_empty(out)
        num_workers = share_of_cores(workers or os.cpu_count() or 1)
        write_phantom(out, settings, subsets, seed, num_workers=num_workers, log=typer.echo)
    typer.echo(f"{out}: {subsets * settings.scans_per_subset} scans in {subsets} subsets")


def _check_empty(out: Path) -> None:
    """Raise ValueError where `out` holds anything: scans of two phantoms in one folder would make a third."""
    out.mkdir(parents=True, exist_ok=True)
    found = next(out.iterdir(), None)
    if found is not None:
        raise ValueError(f"{out}: expected a new or an empty folder, found {found.name} in it")
