"""The training step against a plain loop: float32, contiguous, windows cut and augmented by numpy between the steps.

    python benchmarks/bench_training.py [--recipe flagship] [--steps 20] [--rounds 3] [--device cpu] [--batch 16]
        [--threads 2]
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/bench_training.py --precision float32

Both train the detector of a recipe on the same scans and take turns in every round; ratios are of one round. Aims: 2 x
the plain loop where the processor multiplies bfloat16, 1.3 x with AVX2 alone; a data_wait_fraction below 0.1. On CUDA
the plain loop runs there, too, and `nvidia-smi` is asked for the utilisation while ours trains: aim 85 %, and 8,000
patches of 32^3 a second with a batch that fills the device (--batch 512). On a machine with other work, compare the
CPU time of a patch with --threads 1: threads that wait for one another use it up, too.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from rounds import alternate, print_table, ratios, spread
from scans import SEED, num_cores
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from ball_scans import write_ball_scans

from lungpipe.models import Hardware, build_network, choose_hardware
from lungpipe.sampling.feed import Feed
from lungpipe.sampling.targets import paint_masks
from lungpipe.settings import ComputeSettings
from lungpipe.settings.load import read_recipe
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.training.augment import TrainingPatches
from lungpipe.training.members import Material, TrainingJob, build_objective, feed_plan, open_feeds
from lungpipe.training.run import TrainingRun
from lungpipe.training.trainer import fit

SPACING = (1.0, 1.0, 1.0)
NUM_WARM_UP = 3
RECIPES = Path(__file__).parents[1] / "recipes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="flagship", help="file in recipes/ whose detector is trained")
    parser.add_argument("--steps", type=int, default=20, help="steps of each loop in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=None, help="patches per step; none takes the recipe's")
    parser.add_argument("--threads", type=int, default=num_cores(), help="of both loops")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"], help="of our step")
    options = parser.parse_args()
    hardware = choose_hardware(ComputeSettings(device=options.device, precision=options.precision), options.threads)
    part = part_of(options.recipe, options.steps, options.batch)
    print(
        f"{options.recipe}: {part.training.batch_size} patches of {part.sampling.patch_size_vox}^3 a step, {hardware}"
    )
    print(f"{num_cores()} cores, {torch.backends.cpu.get_cpu_capability()}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material = tuple(
            write_ball_scans(folder / kind, count, seed=seed, side_vox=96)
            for kind, count, seed in (("training", 12, 1), ("validation", 2, 2))
        )
        compare(part, material, hardware, options.rounds)


def part_of(recipe: str, num_steps: int, batch_size: int | None) -> TrainedDetector:
    part = TrainedDetector.model_validate(read_recipe(RECIPES, recipe)["detector"])
    changes = {"num_steps": num_steps, "num_checks": 1, "batch_size": batch_size or part.training.batch_size}
    return part.model_copy(update={"training": part.training.model_copy(update=changes)})


def compare(part: TrainedDetector, material: tuple[Material, Material], hardware: Hardware, num_rounds: int) -> None:
    """Print patches a second of both loops, their ratio, and how long ours waited for data."""
    plain, rates, waits, busy = PlainLoop(part, material[0], hardware.device), {"ours": [], "plain": []}, [], []
    cpu_ms, num_patches = {"ours": [], "plain": []}, part.training.num_steps * part.training.batch_size
    # kernels are chosen and files are read in a round that does not count
    train(part, material, hardware)
    plain.run(NUM_WARM_UP)
    for name in alternate(["ours", "plain"], num_rounds):
        if name == "plain":
            began = time.process_time()
            rates[name].append(plain.run(part.training.num_steps))
            cpu_ms[name].append(1000 * (time.process_time() - began) / num_patches)
            continue
        with Utilisation(hardware.device) as utilisation:
            metrics = train(part, material, hardware)
        rates[name].append(metrics["samples_per_second"])
        waits.append(metrics["data_wait_fraction"])
        busy_threads = metrics.get("device_utilisation", float("nan")) * torch.get_num_threads()
        cpu_ms[name].append(1000 * busy_threads / metrics["samples_per_second"])
        busy += utilisation.percent or [100 * metrics.get("device_utilisation", float("nan"))]
    rows = [(name, spread(values, 0)) for name, values in rates.items()]
    rows.append(("ours / plain", spread(ratios(rates["ours"], rates["plain"]))))
    rows += [(f"{name}: CPU ms a patch", spread(values)) for name, values in cpu_ms.items()]
    rows.append(("CPU time, plain / ours", spread(ratios(cpu_ms["plain"], cpu_ms["ours"]))))
    rows.append(("data_wait_fraction", spread(waits, 3)))
    rows.append(("device utilisation, %", f"{statistics.median(busy):.0f}"))
    print_table(("loop", "patches a second: median (range)"), rows)


def train(part: TrainedDetector, material: tuple[Material, Material], hardware: Hardware) -> dict[str, float]:
    """Train with the trainer and return what its only check logged."""
    logged: dict[str, float] = {}
    job = TrainingJob(hardware, SEED, lambda step, metrics: logged.update(metrics), num_threads=num_cores())
    plan = feed_plan(part, job, SPACING, small_nodule_power=part.sampling.small_nodule_power)
    feeds = open_feeds(material, plan)
    # the windows of a training are in memory after its first steps
    for _ in feeds[0].fixed_batches(32):
        pass
    torch.manual_seed(SEED)
    network = build_network(part.network)
    run = TrainingRun(hardware, part.sampling.patch_size_vox, SEED, job.log)
    fit(network, feeds, build_objective(part), part.training, run=run)
    for feed in feeds:
        feed.close()
    return logged


class PlainLoop:
    """Blocks packed in memory, patches cut and augmented by numpy in the loop, float32, contiguous, no autocast."""

    def __init__(self, part: TrainedDetector, side: Material, device: torch.device) -> None:
        self.part, self.device, self.rng = part, device, np.random.default_rng(SEED)
        plan = feed_plan(part, TrainingJob(Hardware(device, torch.float32), SEED, lambda step, metrics: None), SPACING)
        size = part.sampling.patch_size_vox + 2 * part.sampling.max_offset_vox
        packing = plan.__class__(patch_size_vox=size, batch_size=1, seed=SEED)
        feed = Feed(side.points, side.volumes, (side.nodules, side.exclusions), packing)
        batches = list(feed.fixed_batches(32))
        feed.close()
        self.hu = np.concatenate([batch.hu_BZYX.numpy() for batch in batches])
        self.target = np.concatenate(
            [paint_masks(batch.findings_BK5, (size, size, size), SPACING).numpy() for batch in batches]
        )
        torch.manual_seed(SEED)
        self.network = build_network(part.network).to(device).train()
        training = part.training
        rates = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
        self.optimiser = torch.optim.AdamW(self.network.parameters(), **rates)
        self.objective = build_objective(part)

    def run(self, num_steps: int) -> float:
        """Take steps and return patches a second."""
        began = time.perf_counter()
        for _ in range(num_steps):
            patches = self._draw()
            loss = self.objective.loss(self.network(patches.hu_BCZYX), patches)
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.part.training.gradient_limit)
            self.optimiser.step()
            if not bool(torch.isfinite(loss)):
                raise FloatingPointError("plain loop: expected a finite loss")
        return num_steps * self.part.training.batch_size / (time.perf_counter() - began)

    def _draw(self) -> TrainingPatches:
        size, number = self.part.sampling.patch_size_vox, self.part.training.batch_size
        rows = self.rng.integers(0, len(self.hu), number)
        starts = self.rng.integers(0, self.hu.shape[1] - size + 1, (number, 3))
        hu, target = np.empty((number, size, size, size), np.float32), np.empty((number, size, size, size), np.uint8)
        for out, (row, start) in enumerate(zip(rows, starts, strict=True)):
            box = (row, *(slice(first, first + size) for first in start))
            order = self.rng.permutation(3)
            flips = tuple(int(axis) for axis in np.flatnonzero(self.rng.integers(0, 2, 3)))
            hu[out] = np.flip(self.hu[box].astype(np.float32).transpose(order), flips)
            target[out] = np.flip(self.target[box].transpose(order), flips)
        hu = hu * self.rng.uniform(0.9, 1.1, (number, 1, 1, 1)).astype(np.float32)
        hu += self.rng.uniform(-70, 70, (number, 1, 1, 1)).astype(np.float32)
        return TrainingPatches(
            torch.from_numpy(hu)[:, None].to(self.device),
            torch.zeros(number, 1, 5, device=self.device),
            torch.from_numpy(target).to(self.device),
            {},
            torch.ones(number, device=self.device),
            SPACING,
        )


class Utilisation:
    """Asks nvidia-smi for the utilisation of the first GPU while the context lasts; nothing on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self.percent: list[float] = []
        self._is_asked = device.type == "cuda" and shutil.which("nvidia-smi") is not None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Utilisation":
        if self._is_asked:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        if self._is_asked:
            self._thread.join()

    def _ask(self) -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        while not self._end.wait(0.2):
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            self.percent.append(float(answer.stdout.split()[0]))


if __name__ == "__main__":
    main()
