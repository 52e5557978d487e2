"""Draw the pictures of docs/ again from finished studies: `python docs/site/draw_pictures.py GROUP...`.

Read from `results/` of the working folder, as these commands leave it:

    snakemake --cores 8
    snakemake --cores 8 notebooks
    snakemake --cores 8 --config recipe=cnn3d 'folds=[0]'
    snakemake --cores 8 --config recipe=cnn3d 'folds=[0]' candidates_of=flagship name=cnn3d_on_flagship

Groups: report, volumes (renderings, heat maps, a page of the viewer), mlflow, notebooks (workflow/notebooks with their
outputs). The group crops copies a picture of `studies/luna16_crops_whole.yaml`, and is drawn only if it is named. Needs
Chromium, and tests/support on PYTHONPATH, as `make pictures` sets it. No picture names a person.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pandas as pd
from headless import open_browser, visit
from PIL import Image

from lungpipe.services.tracking.links import find_runs
from lungpipe.services.tracking.views import view_link
from lungpipe.tables import write_text
from lungpipe.volumes.collection import locate_stores

FIGURES = Path(__file__).parents[1] / "figures"
NOTEBOOKS = Path(__file__).parents[2] / "workflow" / "notebooks"
SNAKEMAKE_TAG = "snakemake-job-properties"
"""Tag of the cell that Snakemake puts before the others."""
DATASET = Path("results/phantom")
STUDY, CNN3D = DATASET / "flagship", DATASET / "cnn3d"
CROPS = Path("results/luna16_crops_whole/flagship")
STORE = "sqlite:///results/mlflow.db"
FOLD = 0
LEAST_PROBABILITY = 0.5
SECONDS_FOR_CHARTS = 10
WINDOW_PIXELS, ASSISTANT_PIXELS = 1760, 454
"""Width of the window for MLflow's pages, and of the panel on its right, which is cut off."""
WORLD = {"series_uid": "seriesuid", "center_x_mm": "coordX", "center_y_mm": "coordY", "center_z_mm": "coordZ"}


def draw_report() -> None:
    """Draw head and patients of the report of the default study, and copy its examples of nodules."""
    with open_browser() as browser, visit(browser, (STUDY / "report.html").absolute(), (1200, 1000)) as seen:
        seen.page.screenshot(path=FIGURES / "report.png")
        seen.page.evaluate("document.querySelector('#patients').scrollIntoView()")
        seen.page.wait_for_timeout(500)
        seen.page.screenshot(path=FIGURES / "report_patients.png")
    shutil.copy(STUDY / "figures" / "candidates.png", FIGURES / "candidates.png")


def copy_crops() -> None:
    """Copy the examples of nodules of `studies/luna16_crops_whole.yaml`; they name nobody."""
    shutil.copy(CROPS / "figures" / "candidates.png", FIGURES / "candidates_luna16_crops.png")


def draw_volumes() -> None:
    """Draw the chest with most nodules of a fold: rendered, with heat maps, and in the viewer."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        store, candidates = choose_chest(work)
        drawn = []
        for transfer in ("linear", "gradient", "otsu"):
            drawn.append(work / f"{transfer}.png")
            more = ["--histogram", work / "histogram.png"] if transfer == "otsu" else []
            lungpipe("render", store, "--candidates", candidates, "--transfer", transfer, "--out", drawn[-1], *more)
        pictures = [Image.open(path).convert("RGB").resize((300, 330), Image.Resampling.LANCZOS) for path in drawn]
        row = Image.new("RGB", (3 * 300, 330), "white")
        for place, picture in enumerate(pictures):
            row.paste(picture, (300 * place, 0))
        save(row, "render_transfer.png")
        save(Image.open(work / "histogram.png"), "render_histogram.png")
        for model, method, transfer in ((STUDY, "gradcam", "linear"), (CNN3D, "hirescam", "otsu")):
            shown = ["--scene", "--method", method, "--transfer", transfer]
            scorer = model / f"fold{FOLD}" / "scorer.safetensors"
            lungpipe(
                "explain", store, "--candidates", candidates, "--out", work / model.name, "--model", scorer, *shown
            )
        save(Image.open(work / STUDY.name / "candidate-01.png"), "explain_planes.png")
        save(Image.open(work / STUDY.name / "scene.png"), "explain_scene.png")
        save(Image.open(work / CNN3D.name / "scene.png"), "explain_scene_cnn3d.png")
        lungpipe("view", store, "--candidates", candidates, "--out", work / "viewer.html")
        with open_browser() as browser, visit(browser, work / "viewer.html", (1280, 800)) as seen:
            seen.page.wait_for_selector("body[data-ready]", timeout=120_000)
            seen.page.screenshot(path=FIGURES / "viewer.png")


def choose_chest(work: Path) -> tuple[Path, Path]:
    """Return the store of the scan with most probable candidates of a fold, and those candidates as CSV."""
    scored = pd.read_parquet(STUDY / f"fold{FOLD}" / "scored.parquet").rename(columns=WORLD)
    found = scored[scored["probability"] >= LEAST_PROBABILITY]
    series_uid = found["seriesuid"].value_counts().index[0]
    columns = [*WORLD.values(), "diameter_mm", "probability", "malignancy"]
    found[found["seriesuid"] == series_uid][columns].to_csv(work / "candidates.csv", index=False)
    manifest = DATASET / "volumes" / f"subset{FOLD}" / "manifest.json"
    return locate_stores([manifest])[series_uid], work / "candidates.csv"


def draw_mlflow() -> None:
    """Draw the views of studies and folds, and the run of the default study."""
    links = find_runs(STUDY / "tracking")
    if links is None:
        raise SystemExit(f"{STUDY}: expected runs in MLflow, found none")
    experiment = links["studies"].split("/experiments/")[1].split("/")[0]
    with serve_mlflow() as server, open_browser() as browser:
        for key in ("studies", "folds"):
            shoot(browser, f"{server}/{view_link(experiment, key)}", f"mlflow_{key}.png", height=600)
        run = "#" + links["study"].split("#")[1]
        shoot(browser, f"{server}/{run}", "mlflow_study.png", height=1000)


def shoot(browser: Any, address: str, name: str, *, height: int) -> None:
    """Draw a page of MLflow without the menu on its left and the panel on its right."""
    with visit(browser, "about:blank", (WINDOW_PIXELS, height)) as seen:
        # on a busy machine the pages of MLflow take more than the 30 seconds that a browser is given
        seen.page.set_default_timeout(180_000)
        seen.page.goto(address)
        seen.page.wait_for_timeout(1000 * SECONDS_FOR_CHARTS)
        for more in seen.page.get_by_text("Show more", exact=True).all():
            more.click()
        seen.page.wait_for_timeout(3000)
        left = seen.page.evaluate("document.querySelector('main').getBoundingClientRect().left")
        clip = {"x": left, "y": 0, "width": WINDOW_PIXELS - ASSISTANT_PIXELS - left, "height": height}
        seen.page.screenshot(path=FIGURES / name, clip=clip)


@contextmanager
def serve_mlflow() -> Iterator[str]:
    """Start MLflow's pages as `make ui` does, at a free port; yield their address."""
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--backend-store-uri", STORE]
    server = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                urlopen(address).close()
                break
            except URLError:
                sleep(1)
        yield address
    finally:
        server.terminate()
        server.wait()


def keep_notebooks() -> None:
    """Keep the executed notebooks of the default study, without what differs from run to run."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        content = json.loads((STUDY / "notebooks" / path.name).read_text())
        cells = [cell for cell in content["cells"] if SNAKEMAKE_TAG not in cell["metadata"].get("tags", [])]
        counts = count(1)
        for number, cell in enumerate(cells):
            cell |= {"id": f"cell-{number:02d}", "metadata": {}}
            if cell["cell_type"] == "code":
                cell["execution_count"] = next(counts)
                for output in cell["outputs"]:
                    if "execution_count" in output:
                        output["execution_count"] = cell["execution_count"]
        content["cells"] = cells
        content["metadata"]["language_info"] = {"name": "python"}
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def lungpipe(command: str, *arguments: object) -> None:
    """Run a command of lungpipe."""
    subprocess.run([sys.executable, "-m", "lungpipe", command, *map(str, arguments)], check=True)


def save(picture: Image.Image, name: str) -> None:
    """Write a picture into docs/figures."""
    picture.convert("RGB").save(FIGURES / name, optimize=True)


GROUPS: dict[str, Callable[[], None]] = {
    "report": draw_report,
    "volumes": draw_volumes,
    "mlflow": draw_mlflow,
    "notebooks": keep_notebooks,
    "crops": copy_crops,
}

if __name__ == "__main__":
    for group in sys.argv[1:] or [name for name in GROUPS if name != "crops"]:
        GROUPS[group]()
