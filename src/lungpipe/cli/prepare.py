"""`lungpipe prepare` and `lungpipe info`: resample one scan of any format, and describe a scan or a stored volume."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import warn
from lungpipe.cli.progress import watching

Source = Annotated[Path, typer.Argument(help="Scan: .mhd, .mha, .nii, .nii.gz, a DICOM series in folders or a .zip.")]
LungMask = Literal["threshold", "whole"]
Threshold = Annotated[int, typer.Option(help="HU below which a voxel is air or lung.")]


def register(app: typer.Typer) -> None:
    """Add the commands for single scans."""
    app.command("prepare")(prepare)
    app.command("info")(info)


def prepare(
    source: Source,
    out: Annotated[Path, typer.Argument(help="Output: .ome.zarr (volume and lungs), .mhd, .mha, .nii or .nii.gz.")],
    *,
    spacing: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel spacing z y x in mm; default: 1 1 1 without --like."),
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="Image whose grid is used for the output, instead of --spacing.")
    ] = None,
    lungs_only: Annotated[bool, typer.Option("--lungs-only", help="Write the lung labels instead of the HU.")] = False,
    series: options.Series = None,
    threshold: Threshold = -350,
    lung_mask: Annotated[
        LungMask, typer.Option(help="`whole` is for scans that do not show the whole chest.")
    ] = "threshold",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no last line.")] = False,
    force: options.Force = False,
) -> None:
    """Resample one scan and find its lungs (1 left, 2 right, not dilated)."""
    from pydantic import ValidationError

    from lungpipe.preparation.convert import Output, prepare_scan
    from lungpipe.settings import PreprocessingSettings

    if spacing is not None and like is not None:
        raise typer.BadParameter("give a spacing or the image to be like, not both", param_hint="--like")
    options.refuse_existing(out, is_forced=force, option="OUT")
    try:
        settings = PreprocessingSettings(
            spacing_zyx_mm=spacing or (1.0, 1.0, 1.0), lung_threshold_hu=threshold, lung_mask=lung_mask
        )
    except ValidationError:
        raise typer.BadParameter(f"expected three positive lengths, found {spacing}", param_hint="--spacing") from None
    with refusing(ValueError), watching(is_quiet=quiet) as watch:
        output = Output(out, like, lungs_only)
        grid = prepare_scan(source, output, settings, series, on_remark=warn, on_stage=watch.show)
    if not quiet:
        typer.echo(f"{out}: {_numbers(grid.shape_zyx)} voxels of {_numbers(grid.spacing_zyx_mm)} mm (z, y, x)")


def info(
    path: Annotated[Path, typer.Argument(help="A scan of any format, or a stored volume (.ome.zarr).")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    series: options.Series = None,
    threshold: Threshold = -350,
) -> None:
    """Print shape, spacing, origin, direction, HU range and lung volumes of a scan or a stored volume."""
    from lungpipe.preparation.convert import describe
    from lungpipe.settings import PreprocessingSettings

    with refusing(ValueError):
        facts = describe(path, PreprocessingSettings(lung_threshold_hu=threshold), series)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    rows = {
        "series": facts["series_uid"],
        "shape (z, y, x)": _numbers(facts["shape_zyx"]),
        "spacing (z, y, x)": f"{_numbers(facts['spacing_zyx_mm'])} mm",
        "origin (z, y, x)": f"{_numbers(facts['origin_zyx_mm'])} mm, LPS",
        "direction (rows z, y, x)": "; ".join(_numbers(row) for row in facts["direction_zyx"]),
        "HU": f"{facts['min_hu']} to {facts['max_hu']}",
        "left lung": f"{facts['left_lung_ml']} ml",
        "right lung": f"{facts['right_lung_ml']} ml",
    }
    for name, value in rows.items():
        typer.echo(f"{name:<26}{value}")
    for remark in facts["remarks"]:
        warn(remark)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
