"""`lungpipe ratings`: readers' ratings and masks of annotated nodules from LIDC-IDRI reading XML."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungpipe.cli.errors import refusing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungpipe.geometry import Grid
    from lungpipe.lidc.ratings import RatedNodules
    from lungpipe.lidc.xml import Reading

Readings = Annotated[Path, typer.Argument(help="LIDC-IDRI reading XML: a folder, a zip archive or one file.")]
Annotations = Annotated[Path, typer.Option(help="CSV of the nodules: seriesuid,coordX,coordY,coordZ,diameter_mm.")]
Excluded = Annotated[
    Path | None,
    typer.Option(help="LUNA16's excluded findings, used to locate readings; default: beside the annotations."),
]
Scans = Annotated[Path | None, typer.Option(help="Folder with the scans: LUNA16's subsets or DICOM slices.")]
Masks = Annotated[Path | None, typer.Option(help="Folder for one label image per scan; needs --scans.")]
Agreement = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Share of readers that must have enclosed a voxel of a mask.")
]


def register(app: typer.Typer) -> None:
    """Add the command `ratings`."""
    app.command("ratings")(ratings)


def ratings(
    readings: Readings,
    *,
    annotations: Annotations,
    out: Annotated[Path, typer.Option(help="CSV to write; a dataset's file is called nodule_ratings.csv.")],
    excluded: Excluded = None,
    scans: Scans = None,
    masks: Masks = None,
    agreement: Agreement = 0.5,
) -> None:
    """Write the readers' ratings of every annotated nodule, and with --masks the masks of their outlines."""
    from lungpipe.datasets.annotations import EXCLUSIONS_FILE, read_annotations, read_exclusions
    from lungpipe.lidc.files import read_readings
    from lungpipe.lidc.ratings import Anchors, rate_nodules, unrated, write_ratings
    from lungpipe.lidc.scans import find_grids

    if masks is not None and scans is None:
        raise typer.BadParameter("masks need the grids of the scans: give --scans, too", param_hint="--masks")
    beside = annotations.parent / EXCLUSIONS_FILE
    excluded = excluded or (beside if beside.is_file() else None)
    with refusing(ValueError):
        table = read_annotations(annotations)
        wanted = set(table["series_uid"])
        grids = find_grids(scans, wanted) if scans is not None else {}
        anchors = Anchors(grids, read_exclusions(excluded) if excluded else None)
        read = read_readings(readings, wanted)
        rated = rate_nodules(table, read, anchors)
        if masks is not None:
            _check_slices(read, grids)
        write_ratings(rated, out)
        num_masks = _write_masks(rated, grids, masks, agreement) if masks is not None else 0
    for line in unrated(rated):
        typer.secho(line, err=True, fg=typer.colors.YELLOW)
    missing = sum(1 for _ in unrated(rated))
    typer.echo(f"{out}: {len(table) - missing} of {len(table)} annotated nodules rated")
    for source in sorted(set(rated.sources)):
        typer.echo(f"  placed by {source}: {rated.sources.count(source)}")
    if masks is not None:
        typer.echo(f"{masks}: {num_masks} label images")


def _check_slices(read: "Mapping[str, Reading]", grids: "Mapping[str, Grid]") -> None:
    from lungpipe.lidc.outlines import check_slices

    for uid in grids:
        if uid in read:
            check_slices(read[uid], grids[uid])


def _write_masks(rated: "RatedNodules", grids: "Mapping[str, Grid]", folder: Path, agreement: float) -> int:
    from lungpipe.lidc.scans import label_image
    from lungpipe.preparation.image_files import write_image

    for uid, grid in grids.items():
        write_image(folder / f"{uid}.mhd", label_image(rated, uid, grid, agreement), grid)
    return len(grids)
