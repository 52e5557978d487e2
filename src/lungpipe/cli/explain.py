"""`lungpipe explain`: where a scorer looks, as a heat map on the scan's grid and as pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing
from lungpipe.cli.messages import warn
from lungpipe.terms import counted

if TYPE_CHECKING:
    from lungpipe.delivery.explanation import Explanation, Opened
    from lungpipe.rendering.transfer import TransferName

SCENE_FILE = "scene.png"
ExplainedOutput = Annotated[
    Literal["nodule", "malignancy"], typer.Option(help="The output of the scorer that is explained.")
]
MethodName = Annotated[
    Literal["gradcam", "hirescam"],
    typer.Option(help="gradcam: one weight for each channel of the last map; hirescam: one for each element."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    source: options.Scan,
    *,
    candidates: Annotated[
        Path,
        typer.Option(
            help="CSV of positions: seriesuid,coordX,coordY,coordZ (world mm, LPS), optionally diameter_mm, "
            "probability and malignancy, such as the output of predict."
        ),
    ],
    out: Annotated[Path, typer.Option(help="New or empty folder for table, heat map and pictures.")],
    model: options.ScorerPath = None,
    key_file: options.KeyFile = None,
    output: ExplainedOutput = "nodule",
    method: MethodName = "gradcam",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Drop candidates of a lower probability.")] = 0.0,
    most: Annotated[int, typer.Option(min=1, help="Explain at most so many, the most probable first.")] = 10,
    scene: Annotated[bool, typer.Option(help="Draw the map in a volume rendering; needs the extra viz.")] = False,
    transfer: Annotated[
        Literal["linear", "gradient", "otsu"], typer.Option(help="Transfer function of the scene, see render.")
    ] = "linear",
    whole_volume: Annotated[
        bool, typer.Option("--whole-volume", help="The scene shows everything, not only the lungs; for cropped scans.")
    ] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    series: options.Series = None,
    quiet: options.Quiet = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace an earlier explanation.")] = False,
) -> None:
    """Show which places raise a scorer's output, by Grad-CAM or HiResCAM. Research use only, not a medical device.

    A heat map shows where the network looks. It does not show that the network is right.
    """
    with refusing(ValueError, ModuleNotFoundError):
        if scene:
            import lungpipe.rendering.scene  # noqa: F401 - a missing extra is refused before anything is computed
        from lungpipe.delivery.explanation import check_folder, choose_candidates, open_explained, write_explanation
        from lungpipe.delivery.explanation import explain as compute
        from lungpipe.models.hardware import name_hardware
        from lungpipe.models.stored import load_role
        from lungpipe.shipped import require_shipped_model

        check_folder(out, is_forced=force)
        num_threads = options.count_threads(threads)
        hardware = name_hardware(device, num_threads)
        loaded = load_role(model or require_shipped_model(), "scorer", key_file)
        spacing_zyx_mm, has_lungs = loaded.card.spacing_zyx_mm, scene and not whole_volume
        opened = open_explained(
            source, spacing_zyx_mm, series, has_lungs=has_lungs, threads=num_threads, on_remark=warn
        )
        chosen = choose_candidates(candidates, opened.volume, threshold=threshold, most=most)
        explanation = compute(loaded, opened, chosen, output=output, method=method, hardware=hardware)
        write_explanation(explanation, opened, out, is_forced=force)
        if scene:
            _draw_scene(opened, explanation, candidates, out / SCENE_FILE, transfer=transfer, is_whole=whole_volume)
    if not quiet:
        typer.echo(f"{out}: {explanation.title} for {counted(len(explanation.maps), 'candidate')}")


def _draw_scene(
    opened: "Opened",
    explanation: "Explanation",
    candidates: Path,
    path: Path,
    *,
    transfer: "TransferName",
    is_whole: bool,
) -> None:
    from lungpipe.explain.paste import paste_maps
    from lungpipe.rendering.chest import cut_chest
    from lungpipe.rendering.marks import read_marks
    from lungpipe.rendering.render import Heat, render
    from lungpipe.rendering.transfer import make_transfer
    from lungpipe.tables import CENTER_COLUMNS

    chest = cut_chest(opened.volume, is_whole=is_whole)
    shown = {tuple(center) for center in explanation.candidates[list(CENTER_COLUMNS)].to_numpy()}
    marks = [mark for mark in read_marks(candidates, chest.series_uid) if mark.center_zyx_mm in shown]
    heat = Heat(paste_maps(explanation.maps, chest.grid), chest.grid, explanation.title)
    render(chest, make_transfer(transfer, chest.hu), path, marks=marks, heat=heat)
