"""Fingerprints of the real package, the environment, the commit and files."""

import subprocess
import sys
from pathlib import Path

import pytest

from lungpipe.services import provenance
from lungpipe.services.provenance import environment, file_digest, fingerprint, git_commit
from lungpipe.services.sources import SourceTree


def test_a_fingerprint_is_sixteen_hex_digits_that_do_not_depend_on_the_order() -> None:
    digest = fingerprint("lungpipe.geometry.grid", "lungpipe.tables.io")
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert digest == fingerprint("lungpipe.tables.io", "lungpipe.geometry.grid")
    assert digest != fingerprint("lungpipe.tables.io")


def test_the_settings_room_is_not_followed() -> None:
    tree = SourceTree(provenance.PACKAGE_DIR, provenance.UNFOLLOWED)
    found = tree.closure(("lungpipe.services.tracking.study",))
    assert "lungpipe.tables.atomic" in found
    assert not [module for module in found if module.startswith("lungpipe.settings")]


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"lungpipe\.cellar"):
        fingerprint("lungpipe.cellar")


def test_every_module_and_all_that_it_follows_has_a_digest() -> None:
    root = provenance.PACKAGE_DIR
    names = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in root.rglob("*.py")]
    modules = [name.removesuffix(".__init__") for name in names]
    tree = SourceTree(root, provenance.UNFOLLOWED)
    for module in modules:
        assert all(tree.digest(name) for name in tree.closure((module,)))


def test_a_fingerprint_imports_nothing_of_what_it_reads() -> None:
    code = (
        "import sys; from lungpipe.services.provenance import fingerprint; fingerprint('lungpipe.tables.io');"
        "assert not {'numpy', 'pandas', 'lungpipe.tables', 'mlflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_environment_names_versions_and_no_person_or_place() -> None:
    found = environment()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "torch", "SimpleITK", "zarr"} <= set(found)
    assert not [value for value in found.values() if str(Path.home()) in value]


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_the_commit_is_short_and_marks_a_changed_checkout(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == "unknown"
    git(tmp_path, "init")
    assert git_commit(tmp_path) == "unknown"
    file = tmp_path / "a.txt"
    file.write_text("1")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-m", "one")
    git(tmp_path, "tag", "v1")
    clean = git_commit(tmp_path)
    assert len(clean) == 12
    assert int(clean, 16) >= 0
    file.write_text("2")
    assert git_commit(tmp_path) == f"{clean}+dirty"


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == "unknown"


def test_a_file_digest_follows_contents_and_names_but_not_places(tmp_path: Path) -> None:
    first, second = tmp_path / "x" / "a.csv", tmp_path / "x" / "b.csv"
    moved = tmp_path / "y" / "a.csv"
    for path, text in ((first, "1"), (second, "2"), (moved, "1")):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    digest = file_digest([first, second])
    assert len(digest) == 64
    assert digest == file_digest([second, moved])
    second.write_text("3")
    assert digest != file_digest([first, second])
    with pytest.raises(FileNotFoundError):
        file_digest([tmp_path / "absent"])
