"""No command writes or shows a name, number, date or UID of a patient, apart from the files that say they do."""

import base64
import gzip
import re
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from chest_models import draw_chests, model_folder
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage, generate_uid
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.datasets.read import read_scan

__all__ = ["model_folder"]
PLANTED = {
    "PatientName": "Qvistgaard^Ottoline",
    "PatientID": "MRN-4477120",
    "OtherPatientNames": "Zborowska",
    "PatientBirthDate": "19370219",
    "PatientAge": "089Y",
    "PatientAddress": "Kastanjevej",
    "AccessionNumber": "ACC9915",
    "StudyID": "STU5562",
    "StudyDate": "20260117",
    "StudyTime": "081733",
    "SeriesDate": "20260118",
    "InstitutionName": "Rigshospital Nordby",
    "InstitutionAddress": "Hospitalsgade",
    "ReferringPhysicianName": "Featherstone^Ada",
    "OperatorsName": "Vanterpool",
    "StationName": "CTROOM7X",
    "DeviceSerialNumber": "SN-70215",
    "StudyDescription": "Kontrolbesoeg Ottoline",
    "SeriesDescription": "Thorax Qvist",
    "ProtocolName": "Protokol Nordby",
    "ImageComments": "Opkald 55512345",
}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")
WITH_SERIES = ("candidates.csv", "detections.csv", "scored.csv", "explanation.csv")
"""Tables in LUNA16's columns, whose rows are matched with scans by the series UID."""
SHOW_SERIES = ("detect", "score")
"""Commands over datasets, whose progress names the series, so that a failure leads to its scan."""
NAMES_PATIENTS = re.compile(r"dicom/\w+\.dcm")
"""DICOM objects belong to the patient and the study of their scan."""


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A DICOM folder of a drawn chest, named by the patient, with identifiers in every element that may hold one."""
    root = tmp_path_factory.mktemp("dicom")
    scan = read_scan(draw_chests(tmp_path_factory.mktemp("phantom"))[0])
    folder = root / "Qvistgaard_Ottoline" / "MRN-4477120"
    folder.mkdir(parents=True)
    uids = {name: generate_uid() for name in UIDS[:3]}
    # the chest's directions are those of its grid; DICOM wants its slices along the normal
    spacing_z, spacing_y, spacing_x = scan.grid.spacing_zyx_mm
    for index, pixels in enumerate(scan.hu):
        elements = {
            **PLANTED,
            **uids,
            "InstanceNumber": index + 1,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": pixels.shape[0],
            "Columns": pixels.shape[1],
            "PixelSpacing": [round(spacing_y, 6), round(spacing_x, 6)],
            "SliceThickness": round(spacing_z, 6),
            "ImagePositionPatient": [-50.0, -40.0, round(100.0 + index * spacing_z, 4)],
            "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(np.clip(pixels, -1024, 3000)),
        }
        write_ct(folder / f"Qvistgaard_{index:03}.dcm", CTImageStorage, generate_uid(), elements)
    return folder


def planted_in(series: Path) -> dict[str, bytes]:
    """The planted words and the UIDs of every file, by the element."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(series.iterdir())]
    words = {f"{name} {word}": word.encode() for name, text in PLANTED.items() for word in re.split(r"[\^ ]", text)}
    uids = {f"{name} {uid}": uid.encode() for name in UIDS for uid in {str(header[name].value) for header in headers}}
    # short words are in any page
    return {key: value for key, value in words.items() if len(value) > 3} | uids


def contents(path: Path) -> bytes:
    """A file's bytes, the bytes of what is packed in it, and those that base64 in a page stands for."""
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        return content + gzip.decompress(content)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return b"\n".join([content, *map(packed.read, packed.namelist())])
    texts = re.findall(rb"(?:[A-Za-z0-9+/]{4}){15,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", content)
    unpacked = [base64.b64decode(text) for text in texts]
    return b"\n".join([content, *unpacked, *(gzip.decompress(x) for x in unpacked if x.startswith(b"\x1f\x8b"))])


def found_in(folder: Path, planted: dict[str, bytes]) -> dict[str, list[str]]:
    """What is planted and in the content or the name of a file, by the file; the exceptions are left out."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if NAMES_PATIENTS.search(name):
            continue
        text = contents(path) + name.encode()
        keys = [key for key, value in planted.items() if value in text]
        if path.name in WITH_SERIES:
            keys = [key for key in keys if not key.startswith("SeriesInstanceUID")]
        if keys:
            found[name] = keys
    return found


def commands(series: Path, model: Path, out: Path) -> dict[str, list[str]]:
    """Every command that reads a scan, in an order in which later ones read what earlier ones wrote."""
    scan, listed = str(series), ["--candidates", str(out / "prediction" / "candidates.csv")]
    few = ["--threshold", "0.01"]
    return {
        "predict": [scan, "--model", str(model), "--out", str(out / "prediction"), *few],
        "detect": [scan, "--model", str(model), "--out", str(out / "detections.csv")],
        "score": [scan, "--model", str(model), *listed, "--out", str(out / "scored.csv")],
        "explain": [scan, "--model", str(model), *listed, "--out", str(out / "explained"), "--most", "1"],
        "view": [scan, "--prediction", str(out / "prediction"), "--out", str(out / "page.html")],
        "render": [scan, "--out", str(out / "chest.png"), "--size", "64"],
        "bundle": [str(model), "--out", str(out / "a.lungpipe"), "--no-programs"],
    }


@pytest.mark.slow
def test_nothing_that_is_planted_is_in_files_names_of_files_or_output(series, model_folder, tmp_path):
    planted, out = planted_in(series), tmp_path / "out"
    out.mkdir()
    assert len(planted) > 60
    for name, arguments in commands(series, model_folder, out).items():
        result = CliRunner().invoke(app, [name, *arguments])
        assert result.exit_code == 0, f"{name}: {result.output}"
        shown = result.output.replace(str(series), "INPUT")
        keys = [key for key, value in planted.items() if value.decode() in shown]
        is_shown = name in SHOW_SERIES
        assert [key for key in keys if not (is_shown and key.startswith("SeriesInstanceUID"))] == [], name
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"prediction/result.json", "prediction/viewer.html", "prediction/dicom/report.dcm", "page.html"} <= written
    assert found_in(out, planted) == {}


@pytest.mark.slow
def test_the_search_finds_what_is_there(series, tmp_path):
    planted = planted_in(series)
    name = next(key for key in planted if key.startswith("PatientName"))
    hidden = planted[name]
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"x" * 99 + hidden))
    (tmp_path / "b.html").write_bytes(b"<p>" + base64.b64encode(gzip.compress(bytes(999) + hidden + bytes(range(256)))))
    with zipfile.ZipFile(tmp_path / "c.lungpipe", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("manifest.json", b"x" * 999 + hidden)
    (tmp_path / f"{hidden.decode()}.txt").write_text("a")
    assert set(found_in(tmp_path, planted)) == {"a.nii.gz", "b.html", "c.lungpipe", f"{hidden.decode()}.txt"}
