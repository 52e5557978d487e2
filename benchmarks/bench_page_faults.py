"""Training steps of the flagship's networks with glibc's allocator as is, and with freed memory kept: processor time.

System time is spent on pages that the system clears for the process. A process for each case, one thread.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import yaml
from rounds import print_table

ROOT = Path(__file__).parents[1]
ROLES = ("detector", "scorer")
NUM_STEPS = 5


def measure(role: str, is_kept: bool) -> None:
    """Print user and system time (ms), pages and peak memory (MiB) of a training step, separated by blanks."""
    import torch

    from lungpipe.models.build import build_network
    from lungpipe.services.allocator import keep_freed_memory
    from lungpipe.settings import load_study

    if is_kept:
        keep_freed_memory()
    torch.set_num_threads(1)
    part = getattr(load_study(yaml.safe_load((ROOT / "config.yaml").read_text()), ROOT / "recipes"), role)
    network = build_network(part.network).to(memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(network.parameters())
    sides = [part.sampling.patch_size_vox] * 3
    hu = 300 * torch.randn(part.training.batch_size, 1, *sides)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = sum(logits.float().square().mean() for logits in network(hu).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    step()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(NUM_STEPS):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    pages = (after.ru_minflt - before.ru_minflt) // NUM_STEPS
    print(f"{1000 * user / NUM_STEPS:.0f} {1000 * system / NUM_STEPS:.0f} {pages} {after.ru_maxrss >> 10}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", choices=ROLES)
    parser.add_argument("--kept", action="store_true")
    arguments = parser.parse_args()
    if arguments.role:
        measure(arguments.role, arguments.kept)
        return
    rows = []
    for role in ROLES:
        for name, options in (("as is", ()), ("kept", ("--kept",))):
            command = [sys.executable, __file__, "--role", role, *options]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append((role, name, *answer.stdout.split()))
    print_table(("network", "freed memory", "user ms", "system ms", "pages", "peak MiB"), rows)


if __name__ == "__main__":
    main()
