"""From a stored volume to its detections: ours, and the same network behind MONAI's sliding window.

Every `make_*` imports what its chain needs and returns the chain: a function of the store and an empty folder, into
which it writes `detections.npz` (centres, scores, seconds of CPU time; for `make_stages` the seconds of each stage).
"""

import resource
import time
from pathlib import Path

import numpy as np
from peers import Chain

OVERLAP = 0.25
"""MONAI's own default."""
MARGIN_MM = 5.0


def make_ours(model: Path, precision: str, threads: int, *, is_whole: bool) -> Chain:
    """`Detector.detect` on the lungs, or on the whole volume."""
    from lungpipe.volumes.store import open_volume

    detector = _detector(model, precision, threads)

    def run(store: Path, folder: Path) -> None:
        began = _cpu_seconds()
        found = detector.detect(open_volume(store), region="whole" if is_whole else None)
        _write(folder, found, began)

    return run


def make_monai(model: Path, threads: int, side: int) -> Chain:
    """`sliding_window_inference` in cubes over the whole volume in float32, and our decoding."""
    import torch
    from monai.inferers import sliding_window_inference

    from lungpipe.inference.detector import merging
    from lungpipe.inference.maps import Maps
    from lungpipe.models import load_model, resolve
    from lungpipe.volumes.store import open_volume

    torch.set_num_threads(threads)
    loaded = load_model(model, expect_role="detector")
    [network], inference = loaded.members, loaded.card.part.inference
    # the finest head first: MONAI (1.6) shrinks its weights for a coarse head, and does not widen them again
    heads = sorted(loaded.card.part.network.heads, key=lambda head: (head != "mask", head))
    stride, decode = loaded.card.part.network.total_stride, resolve(inference.decode.builds)

    def predict(hu_BCZYX: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = network(hu_BCZYX)
        return tuple(outputs[head] for head in heads)

    @torch.inference_mode()
    def run(store: Path, folder: Path) -> None:
        began = _cpu_seconds()
        volume = open_volume(store)
        hu = volume.read_hu()
        # sides that the network's stride divides: MONAI scales the heads' windows by their stride
        padded = np.pad(hu, [(0, -size % stride) for size in hu.shape], constant_values=-1024)
        image = torch.from_numpy(padded.astype(np.float32))[None, None]
        outputs = sliding_window_inference(image, (side,) * 3, 1, predict, overlap=OVERLAP)
        z, y, x = (slice(0, size) for size in padded.shape)
        maps = Maps((z, y, x), {head: output[0].numpy() for head, output in zip(heads, outputs, strict=True)})
        region = np.ones(volume.grid.shape_zyx, dtype=bool)
        found = decode(maps, volume.grid, region, inference.decode, merge=merging(inference))
        _write(folder, found, began)

    return run


def make_stages(model: Path, precision: str, threads: int) -> Chain:
    """The steps of `Detector.detect` on the lungs, one after the other."""
    from lungpipe.inference.detector import merging, search_region
    from lungpipe.inference.maps import predict_maps
    from lungpipe.inference.tiles import lay_tiles
    from lungpipe.models import resolve
    from lungpipe.volumes.store import open_volume

    detector = _detector(model, precision, threads)
    inference, stride = detector.inference, detector.card.part.network.total_stride
    decode = resolve(inference.decode.builds)

    def run(store: Path, folder: Path) -> None:
        marks = [time.perf_counter()]
        volume = open_volume(store)
        region = search_region(volume, None, MARGIN_MM)
        marks.append(time.perf_counter())
        maps = predict_maps(
            detector.members, volume, region, inference, hardware=detector.hardware, heads=detector.heads
        )
        marks.append(time.perf_counter())
        decode(maps, volume.grid, region, inference.decode, merge=merging(inference))
        marks.append(time.perf_counter())
        num_voxels = sum(np.prod(tile.window.shape_zyx) for tile in lay_tiles(region, inference, stride))
        np.savez(folder / "stages.npz", seconds=np.diff(marks), num_voxels=num_voxels)

    return run


STAGES = ("lungs and their margin", "network on the tiles, reading", "peaks, merging, masks")


def _detector(model: Path, precision: str, threads: int):
    from lungpipe.inference.detector import Detector
    from lungpipe.models import choose_hardware, load_model
    from lungpipe.settings import ComputeSettings

    loaded = load_model(model, expect_role="detector")
    hardware = choose_hardware(ComputeSettings(device="cpu", precision=precision), threads)
    return Detector(loaded, loaded.card.part.inference, hardware)


def _write(folder: Path, found, began: float) -> None:
    cpu_seconds = _cpu_seconds() - began
    np.savez(folder / "detections.npz", centers=found.centers_zyx_mm, scores=found.scores, cpu_seconds=cpu_seconds)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
