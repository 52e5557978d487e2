"""`lungpipe fetch`: download LUNA16 from its public records into one folder."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lungpipe.cli.errors import refusing

SUBSETS = "--subsets"


class NumbersAfterSubsets(TyperCommand):
    """A command whose option `--subsets` takes several numbers: `--subsets 0 1 2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further number, as the parser expects."""
        spread: list[str] = []
        is_among = False
        for argument in args:
            if is_among and argument.isdecimal() and spread[-1] != SUBSETS:
                spread.append(SUBSETS)
            is_among = argument == SUBSETS or (is_among and argument.isdecimal())
            spread.append(argument)
        return super().parse_args(ctx, spread)


def register(app: typer.Typer) -> None:
    """Add the command `fetch`."""
    app.command("fetch", cls=NumbersAfterSubsets)(fetch)


def fetch(
    dest: Annotated[
        Path, typer.Argument(help="Folder for subset0 to subset9 and the tables; complete files in it are kept.")
    ],
    *,
    subsets: Annotated[list[int] | None, typer.Option(help="Subsets, as in --subsets 0 1 2; default: all ten.")] = None,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Download the CSV files alone.")] = False,
    lung_masks: Annotated[bool, typer.Option("--lung-masks", help="Download the reference lung masks too.")] = False,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep the .zip files in DEST/archives.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="Address of the records; default: Zenodo's.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=4, help="Files downloaded at the same time.")] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no last line.")] = False,
) -> None:
    """Download LUNA16, check MD5 sums and unpack; complete files are kept, interrupted ones resumed.

    Run the same command again after a stop. It downloads about 70 GB; the unpacked data take about 120 GB.
    """
    from lungpipe.cli.fetch_progress import watching
    from lungpipe.download import ZENODO_RECORDS, FetchError, FetchRequest, fetch_luna16

    if tables_only and subsets:
        raise typer.BadParameter("give subsets or --tables-only, not both", param_hint="--tables-only")
    with refusing(FetchError):
        request = FetchRequest(
            subsets=tuple(range(10)) if subsets is None else tuple(subsets),
            tables_only=tables_only,
            lung_masks=lung_masks,
            keep_archives=keep_archives,
            source=source or ZENODO_RECORDS,
            num_connections=connections,
        )
        with watching(is_quiet=quiet) as watch:
            num_files = fetch_luna16(dest, request, watch)
    if not quiet:
        typer.echo(f"{dest}: {num_files} files fetched, all of the request complete")
