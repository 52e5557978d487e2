"""The notebooks: readable without running them, and executed by their rules on a finished study."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from chests import draw_chest
from random_detector import small_center_net, write_random_detector, write_random_scorer

from lungpipe.services.provenance import script_fingerprint
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.tables import NODULES, write_table
from lungpipe.volumes.manifest import MANIFEST_FILE, VolumeEntry, write_manifest
from lungpipe.volumes.writer import write_volume

FOLDER = Path(__file__).parents[2] / "workflow" / "notebooks"
NAMES = ("demo", "model_evaluation")
MOST_BYTES = 150_000
PICTURES = {"demo": ("image/jpeg", 2), "model_evaluation": ("image/png", 1)}


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def kinds(path: Path) -> list[str]:
    """The kinds of all outputs, in their order."""
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    return [kind for output in outputs for kind in output.get("data", {})]


def test_every_notebook_is_named() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_its_outputs_on_a_repository_page(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < MOST_BYTES
    found = kinds(path)
    assert found.count(PICTURES[name][0]) == PICTURES[name][1]
    assert "text/html" in found
    numbers = [cell["execution_count"] for cell in code_cells(path)]
    assert numbers == sorted(numbers)
    # what Snakemake puts before a notebook is not part of it
    assert not any("snakemake-job-properties" in cell["metadata"].get("tags", []) for cell in code_cells(path))


def test_the_fingerprint_of_a_notebook_is_that_of_its_code(tmp_path: Path) -> None:
    content = json.loads((FOLDER / "model_evaluation.ipynb").read_text())
    before = script_fingerprint(FOLDER / "model_evaluation.ipynb")
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = ["# another text"]
        else:
            cell["outputs"] = []
    (tmp_path / "a.ipynb").write_text(json.dumps(content))
    assert script_fingerprint(tmp_path / "a.ipynb") == before
    code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    code["source"] = [*code["source"], "\nfirst = 1"]
    (tmp_path / "b.ipynb").write_text(json.dumps(content))
    assert script_fingerprint(tmp_path / "b.ipynb") != before


def execute_demo(folder: Path, threshold: float) -> object:
    """Execute `demo` on a chest without nodules, with this threshold of the detector; return what its end shows."""
    chest = draw_chest(spacing=(4.0, 4.0, 4.0))
    store = folder / "1.2.ome.zarr"
    write_volume(store, chest.hu, chest.grid, chest.lungs, series_uid="1.2", attributes={})
    place = (chest.grid.shape_zyx, chest.grid.spacing_zyx_mm, chest.grid.origin_zyx_mm)
    write_manifest(folder / MANIFEST_FILE, [VolumeEntry("1.2", store.name, *place, *"spch", 0.0, 0, 0, {})])
    write_table(NODULES.empty(), folder / "nodules.parquet", NODULES)
    part = small_center_net()
    inference = part.inference.model_dump() | {"decode": {"kind": "peaks", "threshold": threshold}}
    part = TrainedDetector.model_validate({**part.model_dump(), "inference": inference})
    models = [
        write_random_detector(folder / "detector.safetensors", part, spacing_zyx_mm=chest.grid.spacing_zyx_mm),
        write_random_scorer(folder / "scorer.safetensors", spacing_zyx_mm=chest.grid.spacing_zyx_mm),
    ]
    given = {"manifest": folder / MANIFEST_FILE, "nodules": folder / "nodules.parquet", "models": models}
    names = {
        "snakemake": SimpleNamespace(
            input=SimpleNamespace(**given), output=SimpleNamespace(candidates=folder / "demo.csv"), threads=1
        )
    }
    for cell in code_cells(FOLDER / "demo.ipynb"):
        exec("".join(cell["source"]), names)  # noqa: S102 - the notebook is a part of the project
    return names["shown"]


def test_the_demo_says_that_a_scan_has_no_candidate(tmp_path: Path) -> None:
    shown = execute_demo(tmp_path, 0.9999)
    assert shown.data == "The detector found no candidate in this scan."
    assert pd.read_csv(tmp_path / "demo.csv").empty


def test_the_demo_draws_the_most_probable_candidate(tmp_path: Path) -> None:
    assert execute_demo(tmp_path, 0.005).data.startswith(b"\xff\xd8")
    assert len(pd.read_csv(tmp_path / "demo.csv"))


@pytest.mark.slow
def test_the_rules_execute_the_notebooks(copy) -> None:
    answer = copy.snakemake("notebooks")
    assert answer.names - {"notebooks"} == {f"execute_{name}" for name in NAMES}
    folder = copy.recipe / "notebooks"
    for name in NAMES:
        executed = folder / f"{name}.ipynb"
        assert kinds(executed).count(PICTURES[name][0]) == PICTURES[name][1]
        assert executed.stat().st_size < MOST_BYTES
    summary = json.loads((copy.recipe / "evaluation" / "evaluation.json").read_text())
    figures = pd.read_csv(folder / "model_evaluation.csv", index_col=0)["figure"]
    assert figures["nodules"] == str(summary["num_nodules"])
    assert figures["CPM"].startswith(f"{summary['cpm']:.3f} ")
    candidates = pd.read_csv(folder / "demo.csv", index_col="number")
    assert len(candidates)
    assert candidates["probability"].is_monotonic_decreasing
    # nothing is left to do
    assert copy.plan("notebooks").jobs == []
