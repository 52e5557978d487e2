"""`lungpipe phantom`: write the artificial scans of the default study, without running a study."""

import os
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from lungpipe.cli.errors import refusing
from lungpipe.cli.progress import watching
from lungpipe.terms import counted


def register(app: typer.Typer) -> None:
    """Add the command `phantom`."""
    app.command("phantom")(phantom)


def phantom(
    out: Annotated[Path, typer.Argument(help="New or empty folder for scans and tables in LUNA16's layout.")],
    *,
    subsets: Annotated[int, typer.Option(min=1, max=100, help="Subset folders, one per fold.")] = 10,
    scans_per_subset: Annotated[
        int | None, typer.Option(min=1, help="Scans per subset; default: 4, or 1 with --full-size.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same bytes.")] = 2016,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Scans of 512 x 512 x 300 voxels, 160 MB each.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes; default: one per core.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no last line.")] = False,
) -> None:
    """Write the phantom: artificial chests with nodules, with LUNA16's tables."""
    from lungpipe.phantom import FULL_SIZE, write_phantom
    from lungpipe.services.job import share_of_cores
    from lungpipe.settings import PhantomSettings

    changes = {"seed": seed} | ({} if scans_per_subset is None else {"scans_per_subset": scans_per_subset})
    settings = (FULL_SIZE if full_size else PhantomSettings()).model_copy(update=changes)
    with refusing(ValueError), watching(is_quiet=quiet) as watch:
        _check_empty(out)
        num_workers = share_of_cores(workers or os.cpu_count() or 1)
        num_scans, written = subsets * settings.scans_per_subset, count(1)

        def log(line: str) -> None:
            watch.show("scans", next(written), num_scans)  # the room logs one line for each scan

        write_phantom(out, settings, subsets, num_workers=num_workers, log=log)
    if not quiet:
        typer.echo(f"{out}: {counted(num_scans, 'scan')} in {counted(subsets, 'subset')}")


def _check_empty(out: Path) -> None:
    """Raise ValueError if `out` is not empty: scans of two phantoms would be mixed."""
    out.mkdir(parents=True, exist_ok=True)
    found = next(out.iterdir(), None)
    if found is not None:
        raise ValueError(f"{out}: expected a new or an empty folder, found {found.name} in it")
