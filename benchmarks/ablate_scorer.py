"""What each part of the malignancy scorer gives: variants of a recipe with one change each, beside the recipe itself.

    LUNGPIPE_SHARED=<folder> python benchmarks/ablate_scorer.py [--variants NAME ...] [--folds K ...]

Each variant is trained and evaluated by the workflow (`study_malignancy` of studies/luna16_malignancy.yaml), in a
folder of its own. The script writes recipes/ablation_<variant>.yaml and leaves it, so that a stopped comparison goes on
where it stopped. The table has the AUC of the networks alone (expected malignancy rating) and of the scorer (networks,
measures), each with its paired difference from the recipe; intervals are over patients, the same draws for all.
"""

import argparse
import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from lungpipe.evaluation.bootstrap import compare, interval
from lungpipe.evaluation.ranking import auc, auc_samples

STUDY, RECIPE = "studies/luna16_malignancy.yaml", "malignancy"
RESULTS = Path("results/luna16_crops")
VARIANTS: dict[str, dict[str, Any]] = {
    "lung_window": {"network.windows_hu": [[-1000, 400]]},
    # one scale: the middle half of the patch, at full resolution
    "one_scale": {"network.num_scales": 1, "sampling.patch_size_vox": 24},
    "no_ratings": {"training.objective.ratings_weight": 0.0},
    "no_diameter": {"network.has_diameter": False},
    "three_networks": {"training.num_members": 3},
    "one_view": {"inference.num_views": 1},
}
METHODS = ("network: malignancy_expected", "network")
NUM_BOOTSTRAPS, SEED = 1000, 2016


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--folds", nargs="*", type=int, default=[1, 3, 5, 7, 9])
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    names = {RECIPE: RECIPE} | {f"ablation_{variant}": variant for variant in given.variants}
    for recipe, variant in names.items():
        if recipe != RECIPE:
            write_recipe(recipe, VARIANTS[variant])
        command = ["snakemake", "study_malignancy", "--cores", str(given.cores), "--configfile", STUDY]
        subprocess.run([*command, "--config", f"recipe={recipe}", f"folds={given.folds}"], check=True)
    sys.stdout.write(table(list(names)).to_string(index=False) + "\n")


def write_recipe(name: str, changes: dict[str, Any]) -> None:
    """Write recipes/<name>.yaml: the recipe with `changes` of its scorer, by dotted key."""
    recipe = copy.deepcopy(yaml.safe_load(Path(f"recipes/{RECIPE}.yaml").read_text()))
    for key, value in changes.items():
        *sections, last = key.split(".")
        part = recipe["scorer"]
        for section in sections:
            part = part[section]
        if last not in part:
            raise KeyError(f"scorer.{key}: no such key in recipes/{RECIPE}.yaml")
        part[last] = value
    text = yaml.safe_dump(recipe, sort_keys=False)
    path = Path(f"recipes/{name}.yaml")
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def table(recipes: list[str]) -> pd.DataFrame:
    """Return a row per recipe: AUC of each method with its interval, and the difference from the first recipe."""
    series = pd.read_parquet(RESULTS / "targets" / "series.parquet").set_index("series_uid")
    cases = {name: pd.read_csv(RESULTS / name / "malignancy" / "cases.csv").set_index("nodule_id") for name in recipes}
    first = cases[recipes[0]]
    labels = first["label"].to_numpy(dtype=np.float64)
    patients = series.loc[first.index.str.rsplit("#", n=1).str[0], "patient_id"].tolist()
    rows = []
    for name in recipes:
        row: dict[str, Any] = {"recipe": name, "nodules": len(labels)}
        for method in METHODS:
            values, own = (
                cases[which].loc[first.index, method].to_numpy(dtype=np.float64) for which in (recipes[0], name)
            )
            draws = [
                auc_samples(labels, scores, NUM_BOOTSTRAPS, np.random.default_rng(SEED), groups=patients)
                for scores in (values, own)
            ]
            gain = compare(draws[0], draws[1], auc(labels, own) - auc(labels, values))
            low, high = interval(draws[1])
            row[method] = f"{auc(labels, own):.3f} ({low:.3f} to {high:.3f})"
            row[f"difference ({method})"] = f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
