"""`lungpipe fetch`: LUNA16 from its public records into a folder that a study can name."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lungpipe.cli.errors import refusing

SUBSETS = "--subsets"


class NumbersAfterSubsets(TyperCommand):
    """A command whose `--subsets` takes all the numbers behind it: `--subsets 0 1 2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before every number but the first, as the parser expects it."""
        spread: list[str] = []
        is_among = False
        for argument in args:
            if is_among and argument.isdecimal() and spread[-1] != SUBSETS:
                spread.append(SUBSETS)
            is_among = argument == SUBSETS or (is_among and argument.isdecimal())
            spread.append(argument)
        return super().parse_args(ctx, spread)


def register(app: typer.Typer) -> None:
    """Add the download's command."""
    app.command("fetch", cls=NumbersAfterSubsets)(fetch)


def fetch(
    dest: Annotated[Path, typer.Argument(help="Folder for subset0 to subset9 and the tables; may hold some already.")],
    *,
    subsets: Annotated[list[int] | None, typer.Option(help="Subsets, as in --subsets 0 1 2; else all ten.")] = None,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="The CSVs, and no scan.")] = False,
    lung_masks: Annotated[
        bool, typer.Option("--lung-masks", help="The reference lung masks of all scans too.")
    ] = False,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Leave the .zip in DEST/archives.")] = False,
    source: Annotated[str | None, typer.Option(help="Address of the records, instead of Zenodo's.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=4, help="Files at a time.")] = 4,
) -> None:
    """Download LUNA16: resumed where it broke off, checked against the records' MD5, unpacked; what is there stays.

    The same command again goes on where it ended. About 70 GB come, and 120 GB lie there at the end.
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
        with watching() as watch:
            num_files = fetch_luna16(dest, request, watch)
    typer.echo(f"{dest}: {num_files} files fetched, all of the request complete")
