"""How long the whole ten-fold study of LUNA16 would take, from measured rates of its stages.

    python benchmarks/project_study.py results/phantom/flagship [--cores 8] [--rounds 3] [--plan studies/luna16.yaml]

The trainings' rates are those of a finished study on this machine: seconds of its jobs times their threads for each
patch that was trained on, start-up and checks included. What is done to a scan is measured now, on one thread, with the
models of the study's first fold: LIDC-IDRI-0012 below LUNGPIPE_SHARED, or the full-size phantom. The plan says how many
steps and folds there are. Hours are those of cores that are always busy: a cluster waits, and the cores of a laptop get
slower when all of them work.
"""

import argparse
import json
import resource
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import yaml
from rounds import print_table
from scans import find_real_series, write_scan

from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.models import choose_hardware, load_model
from lungpipe.preparation.convert import Output, prepare_scan
from lungpipe.settings import ComputeSettings, PreprocessingSettings, StudySettings, load_study
from lungpipe.volumes.store import open_volume

ROOT = Path(__file__).parents[1]
NUM_SCANS = 888
ROLES = ("detector", "scorer")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage does, how often, and the core seconds of each time."""

    name: str
    number: float
    unit: str
    core_seconds: float

    @property
    def core_hours(self) -> float:
        """Core hours of all times."""
        return self.number * self.core_seconds / 3600


def main() -> None:
    """Print the rates, the core hours of every stage, memory and disk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a finished study: results/DATASET/STUDY")
    parser.add_argument("--plan", type=Path, default=ROOT / "studies" / "luna16.yaml", help="the study to be projected")
    parser.add_argument("--cores", type=int, default=8, help="cores of the machine that would run it")
    parser.add_argument("--rounds", type=int, default=3, help="times that the scan is prepared, searched and scored")
    given = parser.parse_args()
    plan = read_plan(given.plan)
    with tempfile.TemporaryDirectory() as name:
        scan = measure_scan(given.study, Path(name), given.rounds)
    stages = list(stages_of(plan, given.study, scan))
    rows = [(s.name, f"{s.number:,.0f} {s.unit}", f"{s.core_seconds:.4f}", f"{s.core_hours:.2f}") for s in stages]
    print_table(("stage", "how often", "core seconds each", "core hours"), rows)
    total = sum(stage.core_hours for stage in stages)
    print(f"\nall stages: {total:.1f} core hours; {given.cores} busy cores: {total / given.cores:.1f} hours")
    print(f"disk: {NUM_SCANS * scan['store_mib'] / 1024:.0f} GiB of volumes ({scan['store_mib']:.0f} MiB a scan)")
    memory = [f"{role} {max(column(given.study, f'train_{role}', 'max_rss')):.0f} MiB" for role in ROLES]
    print(f"memory: one scan {scan['peak_mib']:.0f} MiB; a training in this study: {', '.join(memory)}")


def read_plan(path: Path) -> StudySettings:
    """Return the settings of the study that is projected; its data need not be there."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | yaml.safe_load(path.read_text())
    config["dataset"] = config["dataset"] | {"root": "LUNA16"}
    return load_study(config, ROOT / "recipes")


def stages_of(plan: StudySettings, study: Path, scan: dict[str, float]) -> Iterator[Stage]:
    """Yield the stages of the plan."""
    num_folds, num_subsets = len(plan.folds), plan.dataset.num_subsets
    learned = NUM_SCANS * (num_subsets - 1) / num_subsets
    yield Stage("prepare", NUM_SCANS, "scans", scan["prepare"])
    for role in ROLES:
        training = getattr(plan, role).training
        number = num_folds * training.num_members * training.total_steps * training.batch_size
        yield Stage(f"train {role}s", number, "patches", patch_seconds(study, role))
    yield Stage("mine training scans", num_folds * learned, "scans", scan["detect"])
    tested = NUM_SCANS * num_folds / num_subsets
    yield Stage("search test scans", tested, "scans", scan["detect"])
    # each fold also scores its validation subset
    yield Stage("score candidates", 2 * tested, "scans", scan["score"])


def patch_seconds(study: Path, role: str) -> float:
    """Return the core seconds of a patch in the study's trainings of a role, start-up and checks included."""
    card = load_model(next(iter(sorted(study.glob(f"fold*/{role}.safetensors"))))).card
    training = card.part.training
    patches = training.num_members * training.total_steps * training.batch_size
    rates = []
    for path in sorted((study / "benchmarks" / f"train_{role}").glob("fold*.tsv")):
        ran = json.loads((study / "logs" / f"train_{role}" / f"{path.stem}.ran.json").read_text())
        rates.append(pd.read_table(path)["s"].iloc[-1] * int(ran["threads"]) / patches)
    return statistics.median(rates)


def column(study: Path, rule: str, name: str) -> list[float]:
    """Return a column of Snakemake's measurements of a rule's jobs."""
    return [pd.read_table(path)[name].iloc[-1] for path in sorted((study / "benchmarks" / rule).glob("fold*.tsv"))]


def measure_scan(study: Path, folder: Path, num_rounds: int) -> dict[str, float]:
    """Return the core seconds to prepare, search and score one scan, the size of its store, and the peak memory."""
    fold = sorted(study.glob("fold*"))[0]
    hardware = choose_hardware(ComputeSettings(device="cpu"), 1)
    detector, scorer = (load_model(fold / f"{role}.safetensors", expect_role=role) for role in ROLES)
    search = Detector(detector, detector.card.part.inference, hardware)
    score = Scorer(scorer, scorer.card.part.inference, hardware)
    source = find_real_series() or write_scan(folder / "raw")
    print(f"scan: {source.name}; computes with {hardware}\n")
    stores = [folder / f"scan{number}.ome.zarr" for number in range(num_rounds)]
    rounds = [measure_round(source, store, search, score) for store in stores]
    size = sum(file.stat().st_size for file in stores[0].rglob("*") if file.is_file()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return medians | {"store_mib": size, "peak_mib": peak}


def measure_round(source: Path, store: Path, search: Detector, score: Scorer) -> dict[str, float]:
    """Return the core seconds to prepare a scan into a store, to search it and to score what was found."""
    prepared, _ = core_seconds(lambda: prepare_scan(source, Output(store), PreprocessingSettings()))
    volume = open_volume(store)
    detected, found = core_seconds(lambda: search.detect(volume))
    scored, _ = core_seconds(lambda: score.score(volume, found.centers_zyx_mm, found.diameters_mm))
    return {"prepare": prepared, "detect": detected, "score": scored}


def core_seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the CPU seconds (user and system, all threads) that `work` takes, and what it returns."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result


if __name__ == "__main__":
    main()
