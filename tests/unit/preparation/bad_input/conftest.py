"""A subset with one good scan and one bad one beside it, and what must come of both."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lungpipe.datasets.luna16 import list_scans
from lungpipe.preparation.convert import Output, prepare_scan
from lungpipe.preparation.prepare import PrepareRequest, PrepareResult, prepare_subset
from lungpipe.preparation.qc import QcRequest, check_volumes
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import NODULES
from lungpipe.volumes.manifest import read_manifest
from lungpipe.volumes.store import open_volume

GOOD, BAD = "1.2.1", "1.2.2"
SHAPE = (6, 8, 10)
"""30 x 40 x 50 mm: the least that passes for a crop of a chest, so that a case costs milliseconds."""
HU = np.arange(480, dtype=np.int16).reshape(SHAPE) * 2 - 900
SETTINGS = PreprocessingSettings(spacing_zyx_mm=(5.0, 5.0, 5.0), lung_mask="whole")
HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "0 0 0",
    "ElementSpacing": "5 5 5",
    "DimSize": "10 8 6",
    "ElementType": "MET_SHORT",
}


@dataclass
class Subset:
    """Subset 0 of a dataset in LUNA16's layout, with one nodule in the middle of each scan."""

    folder: Path
    log: list[str] = field(default_factory=list)

    hu = HU
    good = GOOD
    bad = BAD

    @property
    def raw(self) -> Path:
        return self.folder / "data" / "subset0"

    @property
    def out(self) -> Path:
        return self.folder / "volumes"

    @property
    def header(self) -> Path:
        return self.raw / f"{BAD}.mhd"

    @property
    def data(self) -> Path:
        return self.raw / f"{BAD}.raw"

    def text(self, uid=BAD, **changes):
        """The header's text; `changes` replace fields, None drops one."""
        fields = {**HEADER, "ElementDataFile": f"{uid}.raw"}
        # the last line ends a header, so that new fields come before it
        name = changes.pop("ElementDataFile", fields.pop("ElementDataFile"))
        fields = {**fields, **changes, "ElementDataFile": name}
        return "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None)

    def write(self, voxels=None, uid=BAD, **changes):
        """Write a scan; without `voxels`, the good one's."""
        self.raw.mkdir(parents=True, exist_ok=True)
        (self.raw / f"{uid}.mhd").write_text(self.text(uid, **changes), encoding="utf-8")
        (self.raw / f"{uid}.raw").write_bytes(HU.astype("<i2").tobytes() if voxels is None else voxels)

    def nodules(self):
        rows = [[f"{uid}#0", uid, 12.0, 17.0, 22.0, 6.0, None] for uid in (GOOD, BAD)]
        return NODULES.conform(pd.DataFrame(rows, columns=list(NODULES.columns)))

    def prepare(self) -> PrepareResult:
        request = PrepareRequest(SETTINGS, "v1", 0)
        return prepare_subset(self.scans(), self.out, request, num_workers=1, log=self.log.append)

    def scans(self):
        return list_scans(self.folder / "data", 0)

    def rows(self, nodules=None):
        """Prepare and check; return the QC table by series."""
        failures = self.prepare().failures
        request = QcRequest(0, self.nodules() if nodules is None else nodules, SETTINGS.lung_margin_mm, is_whole=True)
        return check_volumes(self.scans(), self.out, failures, request).set_index("series_uid")

    def failure(self, uid=BAD):
        """Prepare; check that one scan failed, whole and alone; return its row."""
        result = self.prepare()
        assert (result.num_computed, result.num_failed) == (1, 1)
        assert [entry.series_uid for entry in read_manifest(self.out / "manifest.json")] == [GOOD]
        np.testing.assert_array_equal(open_volume(self.out / f"{GOOD}.ome.zarr").read_hu(), HU)
        left = sorted(path.name for path in self.out.iterdir())
        assert left == [f"{GOOD}.ome.zarr", "failures.parquet", "manifest.json", "raw_files.json"]
        rows = self.rows()
        assert rows["is_ok"].to_dict() == {GOOD: True, uid: False}
        row = rows.loc[uid]
        # a scan that cannot be read misses its nodules
        assert (row["num_nodules"], row["num_nodules_outside_volume"]) == ((1, 1) if uid == BAD else (0, 0))
        assert np.isnan(row["lungs_ml"])
        assert f"{uid}: failed: {row['reason']}" in self.log
        return row

    def volume(self, uid=BAD):
        """Prepare; check that every scan did; return the HU of one store."""
        result = self.prepare()
        assert result.num_failed == 0, result.failures["reason"].tolist()
        return open_volume(self.out / f"{uid}.ome.zarr").read_hu()


@pytest.fixture
def subset(tmp_path):
    made = Subset(tmp_path)
    made.write(uid=GOOD)
    return made


@dataclass
class Single:
    """One scan of any format, as `lungpipe prepare` takes it."""

    folder: Path

    hu = HU

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def refusal(self, source):
        """Prepare; return the message after checking that nothing was written."""
        self.out.mkdir()
        with pytest.raises(ValueError, match="expected") as caught:
            prepare_scan(source, Output(self.out / "scan.ome.zarr"), SETTINGS)
        assert list(self.out.iterdir()) == []
        return str(caught.value)

    def volume(self, source, series_uid=None):
        """Prepare; return the store."""
        prepare_scan(source, Output(self.out / "scan.ome.zarr"), SETTINGS, series_uid)
        assert [path.name for path in self.out.iterdir()] == ["scan.ome.zarr"]
        return open_volume(self.out / "scan.ome.zarr")


@pytest.fixture
def single(tmp_path):
    return Single(tmp_path)
