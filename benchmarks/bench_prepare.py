"""One full-size scan, raw file to finished store with lung mask, beside its floor in the same run.

Floor: read the bytes, resample linearly with SimpleITK on all cores, compress with the store's codec and chunks.
"""

import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK
import zarr
from zarr.codecs import BloscCodec

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.phantom import FULL_SIZE, write_phantom
from lungpipe.datasets.targets import collect_targets
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.prepare import PrepareRequest, prepare_subset

RUNS = 5
NUM_WORKERS = 2


def floor(header: Path, folder: Path) -> None:
    image = SimpleITK.ReadImage(str(header))
    size = [round(n * s) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    resampled = SimpleITK.Resample(
        image,
        size,
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        image.GetOrigin(),
        (1, 1, 1),
        image.GetDirection(),
        -1024,
    )
    codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")
    array = np.ascontiguousarray(SimpleITK.GetArrayFromImage(resampled))
    zarr.create_array(folder / "floor.zarr", data=array, chunks=(64, 64, 64), compressors=codec, overwrite=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom(folder / "raw", FULL_SIZE, 1, 2016)
        scans = list_scans(folder / "raw", 0)
        request = PrepareRequest(PreprocessingSettings(), collect_targets(folder / "raw", 1).nodules, "bench", 0)
        seconds: dict[str, list[float]] = {"floor": [], "prepare": []}
        for run in range(RUNS + 1):
            began = time.perf_counter()
            floor(scans[0].header_path, folder)
            between = time.perf_counter()
            prepare_subset(scans, folder / f"out{run}", request, num_workers=NUM_WORKERS, log=lambda line: None)
            if run:  # the first one warms up
                seconds["floor"].append(between - began)
                seconds["prepare"].append(time.perf_counter() - between)
    ratios = [ours / least for ours, least in zip(seconds["prepare"], seconds["floor"], strict=True)]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for title, values in {"floor, s": seconds["floor"], "prepare, s": seconds["prepare"], "ratio": ratios}.items():
        print(f"{title:12} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
    print(f"peak memory of the process, floor included: {peak_mib:.0f} MiB")


if __name__ == "__main__":
    main()
