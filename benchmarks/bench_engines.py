"""One tile through the flagship's detector on one thread: as trained, rebuilt for inference, and in OpenVINO.

    python benchmarks/bench_engines.py [--side 96] [--repeats 7]
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/bench_engines.py

Weights are random. Figures are the least CPU time of the repeats, which a machine with other work disturbs least. The
folded network is the one as trained with batch normalisation in its convolutions. OpenVINO computes the folded network,
and is left out where it is not installed (`pip install openvino`).
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from rounds import print_table
from torch import Tensor, nn

from lungpipe.inference.folding import fold_batch_norm
from lungpipe.inference.fusing import fuse_network
from lungpipe.models import Hardware, build_network, choose_hardware
from lungpipe.models.blocks import voxel_shuffle
from lungpipe.models.hardware import has_native_bfloat16
from lungpipe.settings import ComputeSettings
from lungpipe.settings.load import read_recipe
from lungpipe.settings.recipe import TrainedDetector

RECIPES = Path(__file__).parents[1] / "recipes"
HEADS = ("heatmap", "offset", "diameter", "mask")
Run = Callable[[], Mapping[str, Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=96, help="side of the tile, voxels")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.manual_seed(0)
    part = TrainedDetector.model_validate(read_recipe(RECIPES, "flagship")["detector"])
    network = build_network(part.network).eval()
    hu = torch.randint(-1000, 400, (1, 1, *[options.side] * 3), dtype=torch.int16)
    rows = []
    for precision in ("float32", *(["bfloat16"] if has_native_bfloat16("cpu") else [])):
        hardware = choose_hardware(ComputeSettings(device="cpu", precision=precision), 1)
        runs = {
            "as trained": in_torch(network, hardware, hu),
            "folded": in_torch(hardware.place(fold_batch_norm(network)), hardware, hu),
            "rebuilt": in_torch(fuse_network(network, hardware), hardware, hu),
        }
        if importlib.util.find_spec("openvino"):
            runs["OpenVINO"] = in_openvino(fold_batch_norm(network), precision, hu)
        rows += compare(precision, runs, options.repeats)
    print_table(("precision", "engine", "CPU ms", "ms / million voxels", "times rebuilt", "mask's largest error"), rows)


def in_torch(network: nn.Module, hardware: Hardware, hu: Tensor) -> Run:
    """A forward pass of torch."""

    @torch.inference_mode()
    def run() -> Mapping[str, Tensor]:
        with hardware.autocast():
            return network(hu)

    return run


def in_openvino(network: nn.Module, precision: str, hu: Tensor) -> Run:
    """The same network in OpenVINO, for this one shape of a tile."""
    import openvino

    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, hu_BCZYX):
            outputs = self.network(hu_BCZYX)
            return tuple(outputs[head] for head in HEADS)

    with torch.inference_mode():
        graph = openvino.convert_model(Heads(), example_input=hu.float(), input=[tuple(hu.shape)])
    hint = "bf16" if precision == "bfloat16" else "f32"
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()

    def run() -> Mapping[str, Tensor]:
        found = request.infer({0: hu.float().numpy()})
        return dict(zip(HEADS, (torch.from_numpy(values) for values in found.values()), strict=True))

    return run


def compare(precision: str, runs: Mapping[str, Run], num_repeats: int) -> list[tuple[str, ...]]:
    """Return a row for each engine; repeats of the engines alternate, the first of each is not counted."""
    outputs = {name: run() for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(num_repeats):
        for name, run in runs.items():
            began = time.process_time()
            run()
            seconds[name].append(time.process_time() - began)
    least = {name: min(values) for name, values in seconds.items()}
    expected = outputs["as trained"]["mask"].float()
    rows = []
    for name, value in least.items():
        mask = outputs[name]["mask"].float()
        mask = mask if mask.shape == expected.shape else voxel_shuffle(mask, 2)
        error = f"{float((mask - expected).abs().max()):.1e}"
        per_million = 1e3 * value / (np.prod(expected.shape) / 1e6)
        rows.append(
            (precision, name, f"{1e3 * value:.0f}", f"{per_million:.0f}", f"{value / least['rebuilt']:.2f}", error)
        )
    return rows


if __name__ == "__main__":
    main()
