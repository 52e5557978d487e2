"""vtk.js in the package is the recorded file, with its licences; a renewed package is read without a network."""

import gzip
import json
import tomllib
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

import pytest

from lungpipe.viewer import library, renew
from lungpipe.viewer.library import LibraryError, read_library, read_licences, read_record

ROOT = Path(__file__).parents[3]


def test_the_file_is_the_recorded_one():
    text = read_library()
    assert len(text) > 2_000_000
    assert "</script" not in text
    assert read_record()["licence"] == "BSD-3-Clause"
    assert read_licences().startswith(f"vtk.js {read_record()['version']} (BSD-3-Clause)")


def test_licences_of_the_parts_are_there():
    texts = read_licences()
    for name in (
        "gl-matrix",
        "d3-scale",
        "fflate",
        "spark-md5",
        "utif",
        "xmlbuilder2",
        "fast-deep-equal",
        "seedrandom",
    ):
        assert f"\n{name} " in texts
    assert texts.count("Permission is hereby granted, free of charge") >= 6


def test_an_edited_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "vtk.js.gz").write_bytes(gzip.compress(b"another"))
    (tmp_path / "library.json").write_text(json.dumps({"sha256": "0" * 64}))
    monkeypatch.setattr(library, "_folder", lambda: tmp_path)
    with pytest.raises(LibraryError, match=r"vtk.js.gz: expected the SHA-256 000000000000, found \w{12}"):
        read_library()


def test_an_installation_brings_every_file():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["lungpipe"]
    package = Path(str(files("lungpipe")))
    found = [path.relative_to(package).as_posix() for path in (package / "viewer").rglob("*") if path.is_file()]
    others = [name for name in found if not name.endswith((".py", ".pyc"))]
    assert len(others) > 10
    assert [name for name in others if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def write_package(folder, name, version, **facts):
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version, "license": "MIT", **facts}))
    (folder / "LICENSE").write_text(f"Licence of {name}.\n")
    return folder


def test_renewing_writes_library_licences_and_record(tmp_path, monkeypatch):
    packages = {
        "vtk.js": write_package(
            tmp_path / "vtk", "vtk.js", "2.0.0", main="./vtk.js", dependencies={"part": "1.0.0", "commander": "9.2.0"}
        ),
        "part": write_package(tmp_path / "part", "part", "1.0.0", author={"name": "An author"}),
    }
    (tmp_path / "vtk" / "vtk.js").write_text("var vtk = {};")
    monkeypatch.setattr(renew, "fetch_package", lambda name, version, scratch: packages[name])
    renew.renew("2.0.0", tmp_path / "vendor")
    monkeypatch.setattr(library, "_folder", lambda: tmp_path / "vendor")
    assert read_library() == "var vtk = {};"
    assert read_record()["version"] == "2.0.0"
    assert "part 1.0.0 (MIT), An author\n\nLicence of part." in read_licences()
    assert "commander" not in read_licences()
    before = (tmp_path / "vendor" / "vtk.js.gz").read_bytes()
    renew.renew("2.0.0", tmp_path / "vendor")
    assert (tmp_path / "vendor" / "vtk.js.gz").read_bytes() == before


def test_a_package_without_any_licence_is_refused(tmp_path):
    package = write_package(tmp_path / "part", "part", "1.0.0", license=None)
    (package / "LICENSE").unlink()
    with pytest.raises(ValueError, match="part: expected a licence, found none"):
        renew.licence_text(package)
