"""Train a recipe's detector with changed settings on one phantom, and judge it on two others: to choose settings.

    python benchmarks/try_detector.py training.num_steps=600 training.optimiser=adamw training.learning_rate=0.005

No scan of the default study takes part: the phantoms have other seeds (77 to train, 78 and 79 to judge, 40 scans each).
They are made and prepared by the workflow in results/try, once. Each KEY=VALUE changes a setting of the detector. The
printed CPM is that of the detector alone.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from lungpipe.candidates.merge import to_table
from lungpipe.evaluation.evaluate import evaluate
from lungpipe.inference.detector import Detector
from lungpipe.models import choose_hardware, load_model
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.training.detector import train_fold_detector
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob
from lungpipe.volumes.collection import locate_stores
from lungpipe.volumes.store import open_volume

FOLDER, SUBSETS, FOLD = Path("results/try"), range(10), 0
TRAINED_ON, JUDGED_ON = 77, (78, 79)
TARGETS = ("series", "nodules", "exclusions")


def main() -> None:
    """Print CPM, sensitivities and CPU seconds of one training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="settings of the detector")
    parser.add_argument("--recipe", default="flagship")
    parser.add_argument("--seed", type=int, default=77, help="seed of the training")
    given = parser.parse_args()
    for phantom in (TRAINED_ON, *JUDGED_ON):
        prepare(phantom)
    part = TrainedDetector.model_validate(changed(given.recipe, given.changes))
    torch.set_num_threads(1)
    hardware = choose_hardware(ComputeSettings(), 1)
    model = FOLDER / f"detector{given.seed}.safetensors"
    files = {"model": model, "history": model.with_suffix(".history"), "points": model.with_suffix(".points")}
    outputs = {name: str(path) for name, path in files.items()}
    began = cpu_seconds()
    tables = FoldTables.read({name: str(target(TRAINED_ON, name)) for name in TARGETS}, FOLD, len(SUBSETS))
    volumes = FoldVolumes(stores(TRAINED_ON, [subset for subset in SUBSETS if subset != FOLD]), (1.0, 1.0, 1.0), "")
    job = TrainingJob(hardware, given.seed, lambda step, metrics: None, FOLD, num_threads=1)
    train_fold_detector(part, tables, volumes, job, recipe=given.recipe).write(outputs)
    trained = cpu_seconds()
    detector = Detector(load_model(model), part.inference, hardware)
    found = [
        to_table(detector.detect(open_volume(path)), series_uid, FOLD)
        for phantom in JUDGED_ON
        for series_uid, path in stores(phantom, SUBSETS).items()
    ]
    nodules, exclusions, series = (
        pd.concat([pd.read_parquet(target(phantom, name)) for phantom in JUDGED_ON], ignore_index=True)
        for name in ("nodules", "exclusions", "series")
    )
    table = pd.concat([rows for rows in found if len(rows)], ignore_index=True)
    table["probability"] = table["detector_score"]
    summary = evaluate(table, nodules, exclusions, sorted(series["series_uid"]), num_bootstraps=1000, seed=0).summary
    low, high = summary["cpm_ci95"]
    rates = " ".join(f"{value:.3f}" for value in summary["sensitivity"].values())
    sys.stdout.write(
        f"{' '.join(given.changes)} seed {given.seed}: CPM {summary['cpm']:.3f} ({low:.3f} to {high:.3f}), "
        f"{len(nodules)} nodules, sensitivities {rates}; CPU seconds: training {trained - began:.0f}, "
        f"detection {cpu_seconds() - trained:.0f}\n"
    )


def prepare(phantom: int) -> None:
    """Make and prepare the phantom of this seed, unless it is there."""
    goals = [str(manifest(phantom, subset)) for subset in SUBSETS] + [str(target(phantom, name)) for name in TARGETS]
    if all(Path(goal).is_file() for goal in goals):
        return
    settings = FOLDER / f"phantom{phantom}.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    study = {"results_dir": str(FOLDER / str(phantom)), "dataset": {"phantom": {"seed": phantom}}}
    settings.write_text(yaml.safe_dump(study | {"tracking": {"is_enabled": False}}))
    subprocess.run(["snakemake", *goals, "--cores", "2", "--configfile", str(settings)], check=True)


def changed(recipe: str, changes: list[str]) -> dict[str, Any]:
    """Return the settings of the recipe's detector with the changes."""
    detector: dict[str, Any] = yaml.safe_load(Path(f"recipes/{recipe}.yaml").read_text())["detector"]
    for change in changes:
        key, value = change.split("=", 1)
        *sections, last = key.split(".")
        part = detector
        for section in sections:
            part = part[section]
        if last not in part:
            raise KeyError(f"detector.{key}: no such setting in recipes/{recipe}.yaml")
        part[last] = yaml.safe_load(value)
    return detector


def manifest(phantom: int, subset: int) -> Path:
    return FOLDER / str(phantom) / "phantom" / "volumes" / f"subset{subset}" / "manifest.json"


def target(phantom: int, name: str) -> Path:
    return FOLDER / str(phantom) / "phantom" / "targets" / f"{name}.parquet"


def stores(phantom: int, subsets: Iterable[int]) -> dict[str, Path]:
    return locate_stores([manifest(phantom, subset) for subset in subsets])


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
