"""How far logits and scores of one scan are from those with a halo as wide as the network sees; no times.

    python benchmarks/measure_halo.py results/phantom/flagship/fold0/detector.safetensors [--halos 8 16 24]

The scan is LIDC-IDRI-0012 below LUNGPIPE_SHARED, else the full-size phantom. Its lungs are searched in float32. The
model has a heat map.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from bench_detect import NEAR_MM, write_store
from detection_chains import MARGIN_MM
from rounds import print_table
from scans import find_real_series, write_scan

from lungpipe.candidates import Detections
from lungpipe.inference.detector import Detector, search_region
from lungpipe.inference.maps import Maps, predict_maps
from lungpipe.inference.tiles import lay_tiles
from lungpipe.models import choose_hardware, load_model
from lungpipe.settings import ComputeSettings
from lungpipe.volumes.store import open_volume

REACH_VOX, WHOLE_VOX = 40, 400
"""What the flagship's network sees, and a tile that holds the lungs of any scan."""
LIKELY = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--halos", type=int, nargs="+", default=[8, 16, 24])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    model = load_model(options.model, expect_role="detector")
    hardware = choose_hardware(ComputeSettings(device="cpu", precision="float32"), options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        volume = open_volume(write_store(folder / "scan", find_real_series() or write_scan(folder / "raw")))
        region = search_region(volume, None, MARGIN_MM)
        settings = model.card.part.inference
        tiled = [settings.model_copy(update={"halo_vox": halo}) for halo in options.halos]
        reference = settings.model_copy(update={"halo_vox": REACH_VOX, "tile_size_vox": WHOLE_VOX})
        found = []
        for inference in (reference, *tiled):
            detector = Detector(model, inference, hardware)
            maps = predict_maps(detector.members, volume, region, inference, hardware=hardware, heads=detector.heads)
            found.append((maps, detector.detect(volume)))
    inside = found[0][0].cut(region, found[0][0].stride("heatmap"))
    print(f"standard deviation of the heat map's logits: {found[0][0].heads['heatmap'][0][inside].std():.2f}\n")
    stride = model.card.part.network.total_stride
    header = ("halo", "million voxels", "mean error", f"mean where p > {LIKELY}", "score, 20 strongest", "100", "found")
    rows = []
    for halo, inference, one in zip(options.halos, tiled, found[1:], strict=True):
        voxels = sum(np.prod(tile.window.shape_zyx) for tile in lay_tiles(region, inference, stride)) / 1e6
        rows.append((str(halo), f"{voxels:.1f}", *compare(found[0], one, inside)))
    print_table(header, rows)


def compare(reference: tuple[Maps, Detections], other: tuple[Maps, Detections], inside: np.ndarray) -> tuple[str, ...]:
    """Return mean errors of logits, largest errors of the strongest detections' scores, and how many are found."""
    expected, logits = (maps.heads["heatmap"][0][inside] for maps, _ in (reference, other))
    error = np.abs(logits - expected)
    likely = expected > np.log(LIKELY / (1 - LIKELY))
    known, found = reference[1], other[1]
    distance = np.linalg.norm(known.centers_zyx_mm[:, None] - found.centers_zyx_mm[None], axis=-1)
    moved = np.abs(found.scores[distance.argmin(axis=1)] - known.scores)
    near = int((distance.min(axis=1) <= NEAR_MM).sum())
    return (
        f"{error.mean():.5f}",
        f"{error[likely].mean():.5f}",
        f"{moved[:20].max():.4f}",
        f"{moved.max():.4f}",
        f"{near} of {len(known)}",
    )


if __name__ == "__main__":
    main()
