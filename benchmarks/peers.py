"""From raw file to finished result at 1 mm: ours, the floor, and the chains of MONAI and TorchIO.

Every `make_*` imports what its chain needs and returns the chain: a function of the source (a .mhd or a DICOM folder)
and an empty folder for the result. Only the chain is timed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

Chain = Callable[[Path, Path], None]


def make_ours() -> Chain:
    """Volume, pyramid, lung labels, checksums; for LUNA16's layout QC table and manifest, too; synced to disk."""
    from scans import num_cores

    from lungpipe.datasets.luna16 import list_scans
    from lungpipe.preparation.convert import Output, prepare_scan
    from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
    from lungpipe.settings import PreprocessingSettings

    settings = PreprocessingSettings()

    def run(source: Path, folder: Path) -> None:
        if source.is_dir():
            prepare_scan(source, Output(folder / "scan.ome.zarr"), settings)
            return
        root = source.parent.parent
        scans = list_scans(root, 0)
        request = PrepareRequest(settings, "bench", 0)
        result = prepare_subset(scans, folder, request, num_workers=num_cores(), log=lambda line: None)
        if result.num_computed != 1:
            raise RuntimeError(f"{source}: expected a prepared scan, found {result.failures.to_dict('records')}")

    return run


def make_floor() -> Chain:
    """Read, resample linearly with SimpleITK, and compress that one array with the store's codec and chunks."""
    import SimpleITK

    from lungpipe.volumes.array_writing import write_array

    def run(source: Path, folder: Path) -> None:
        image = _read_sitk(source)
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
        array = SimpleITK.GetArrayFromImage(resampled)
        write_array(folder / "floor.zarr", array, -1024)

    return run


def make_monai(ending: str, *, is_exact: bool = True) -> Chain:
    """MONAI's transforms; exact: its defaults (resampled as float64, saved as float32), else float32 and int16."""
    import numpy as np
    from monai.data import ITKReader
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage, SaveImage, Spacing

    def run(source: Path, folder: Path) -> None:
        chain = Compose(
            [
                LoadImage(reader=ITKReader()),
                EnsureChannelFirst(),
                Spacing((1.0, 1.0, 1.0), mode="bilinear", dtype=np.float64 if is_exact else np.float32),
                SaveImage(
                    folder, output_ext=ending, output_dtype=np.float32 if is_exact else np.int16, print_log=False
                ),
            ]
        )
        chain(source)

    return run


def make_torchio(ending: str) -> Chain:
    """TorchIO's image, resampling and saving, in the type that SimpleITK reads (int16, for DICOM int32)."""
    import torchio

    def run(source: Path, folder: Path) -> None:
        torchio.Resample(1)(torchio.ScalarImage(source)).save(folder / f"scan{ending}")

    return run


OURS, FLOOR = "lungpipe", "floor"
PEERS: dict[str, tuple[Callable[[], Chain], str]] = {
    OURS: (make_ours, "OME-Zarr, int16, two levels, lung labels"),
    FLOOR: (make_floor, "Zarr, int16"),
    "MONAI": (partial(make_monai, ".nii.gz"), ".nii.gz, float32"),
    "MONAI, uncompressed": (partial(make_monai, ".nii"), ".nii, float32"),
    "MONAI, lean": (partial(make_monai, ".nii", is_exact=False), ".nii, int16, resampled as float32"),
    "TorchIO": (partial(make_torchio, ".nii.gz"), ".nii.gz, type as read"),
    "TorchIO, uncompressed": (partial(make_torchio, ".nii"), ".nii, type as read"),
}
"""Name: how its chain is made, and what it writes."""


def _read_sitk(source: Path) -> "SimpleITK.Image":  # noqa: F821 - imported where it is needed
    import SimpleITK

    if not source.is_dir():
        return SimpleITK.ReadImage(str(source))
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(source))
    return SimpleITK.Cast(SimpleITK.ReadImage(names), SimpleITK.sitkInt16)
