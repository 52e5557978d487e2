"""Train a tiny detector on ball scans as a process of its own: `train_balls.py OUT [STEPS] [RESUME] [SEARCHES]`.

Prints one line per check as soon as it is done; writes weights and losses into the folder OUT. Under torchrun the
processes train together and the first one writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from ball_parts import ball_detector, searching_detector
from ball_scans import write_ball_scans
from safetensors.torch import save_file

from lungpipe.models import choose_hardware
from lungpipe.settings import ComputeSettings
from lungpipe.training.detector import train_detector
from lungpipe.training.distributed import joined_processes
from lungpipe.training.members import TrainingJob


def main(out: Path, num_steps: int, resume_dir: Path | None, num_rounds: int) -> None:
    """Train, and write `weights.safetensors` and `losses.json`."""
    hardware = choose_hardware(ComputeSettings(device="cpu", precision="float32"), 1)
    losses: dict[int, dict[str, float]] = {}

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def log(step: int, metrics: Any) -> None:
        losses[step] = dict(metrics)
        say(f"step {step}")

    with joined_processes(hardware.device) as mine:
        folder = out / f"scans{mine.rank}"
        material = write_ball_scans(folder / "training", 4, seed=1), write_ball_scans(folder / "validation", 2, seed=2)
        job = TrainingJob(hardware, seed=5, log=log, resume_dir=resume_dir, identity="balls", say=say)
        length = {"num_steps": num_steps, "num_checks": num_steps}
        searching = searching_detector(num_rounds, hard={"first_fraction": 0.3}, **length)
        part = searching if num_rounds else ball_detector(**length)
        trained = train_detector(part, material, job, spacing_zyx_mm=(1.0, 1.0, 1.0))
        if mine.is_first:
            weights = {name: tensor.contiguous() for name, tensor in trained.members[0].state_dict().items()}
            save_file(weights, out / "weights.safetensors")
            (out / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    torch.set_num_threads(1)
    arguments = [*sys.argv[1:], *["6", "", "0"][len(sys.argv) - 2 :]]
    main(Path(arguments[0]), int(arguments[1]), Path(arguments[2]) if arguments[2] else None, int(arguments[3]))
