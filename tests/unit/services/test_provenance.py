"""Fingerprints of the real package, the environment, the commit and files."""

import ast
import gc
import hashlib
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lungpipe.services.provenance import (
    PACKAGE_DIR,
    RESULTLESS,
    environment,
    file_digest,
    fingerprint,
    git_commit,
    machine,
    script_fingerprint,
    source_tree,
)
from lungpipe.services.sources import SourceTree

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


def test_a_fingerprint_is_sixteen_hex_digits_that_do_not_depend_on_the_order() -> None:
    digest = fingerprint("lungpipe.geometry.grid:Grid", "lungpipe.tables.io:read_table")
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert digest == fingerprint("lungpipe.tables.io:read_table", "lungpipe.geometry.grid:Grid")
    assert digest != fingerprint("lungpipe.tables.io:read_table")
    assert fingerprint("lungpipe.tables.io") != fingerprint("lungpipe.tables.io:read_table")


def test_what_is_aside_does_not_count() -> None:
    whole = "lungpipe.tables.io:read_table"
    assert fingerprint(whole, aside=["lungpipe.tables.columns"]) != fingerprint(whole)
    assert fingerprint(whole, aside=["lungpipe.phantom.write"]) == fingerprint(whole)


def test_code_that_writes_whole_files_and_names_errors_of_the_machine_does_not_count() -> None:
    tree = source_tree()
    keys = {("lungpipe.tables.atomic", "replacing"), ("lungpipe.tables.machine", "find_errno")}
    assert keys <= set(tree.closure(["lungpipe.tables.io:write_table"]))
    counted = tree.closure(["lungpipe.tables.io:write_table"], RESULTLESS)
    lines = [f"{module}:{name}={tree.digest((module, name))}" for module, name in counted]
    assert not [module for module, _ in counted if module in ("lungpipe.tables.atomic", "lungpipe.tables.machine")]
    assert fingerprint("lungpipe.tables.io:write_table") == hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_an_unknown_module_or_name_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"lungpipe\.cellar"):
        fingerprint("lungpipe.cellar")
    with pytest.raises(AttributeError, match=r"lungpipe\.tables\.io:close"):
        fingerprint("lungpipe.tables.io:close")
    with pytest.raises(FileNotFoundError, match="absent"):
        script_fingerprint(SCRIPTS / "absent.py")


def test_every_module_and_all_that_it_reaches_has_a_digest() -> None:
    names = [".".join(path.relative_to(PACKAGE_DIR.parent).with_suffix("").parts) for path in PACKAGE_DIR.rglob("*.py")]
    tree = source_tree()
    for name in names:
        assert all(tree.digest(key) for key in tree.closure([name.removesuffix(".__init__")]))


def test_of_the_settings_only_methods_count() -> None:
    tree = source_tree()
    key = ("lungpipe.settings.study", "PreprocessingSettings")
    assert key in tree.closure(["lungpipe.preparation.volume:prepare_volume"])
    whole = SourceTree(PACKAGE_DIR)
    assert whole.digest(key) != tree.digest(key)


def test_a_script_counts_with_what_it_imports_and_what_is_chosen_for_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from lungpipe.geometry import Grid\nfrom lungpipe.services.job import open_job\nGrid\n")
    tree = source_tree()
    assert tree.imported_by(script) == ["lungpipe.geometry:Grid", "lungpipe.services.job:open_job"]
    before = script_fingerprint(script)
    script.write_text("from lungpipe.geometry import Grid\nfrom lungpipe.services.job import share_of_cores\nGrid\n")
    assert script_fingerprint(script) == before
    assert script_fingerprint(script, "lungpipe.datasets.nifti:read_nifti") != before
    script.write_text("from lungpipe.geometry import Grid\nGrid()\n")
    assert script_fingerprint(script) != before


def test_the_fingerprints_of_all_scripts_read_every_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = ast.parse

    def count(source, *arguments, **options):
        if isinstance(source, bytes):
            parsed.append(source)
        return parse(source, *arguments, **options)

    scripts = sorted(SCRIPTS.glob("*.py"))
    assert len(scripts) > 10
    source_tree.cache_clear()
    monkeypatch.setattr(ast, "parse", count)
    for script in scripts:
        script_fingerprint(script)
    of_package = [source for source in parsed if source not in {script.read_bytes() for script in scripts}]
    assert len(of_package) == len(set(of_package)) > 50


TIMES = """
import ast, sys, time
from pathlib import Path
from lungpipe.services.provenance import PACKAGE_DIR, script_fingerprint, source_tree

def timed(work, things):
    before = time.process_time()
    for thing in things:
        work(thing)
    return time.process_time() - before

scripts, files = sorted(Path(sys.argv[1]).glob("*.py")), sorted(PACKAGE_DIR.rglob("*.py"))
for _ in range(5):
    source_tree.cache_clear()
    print(timed(script_fingerprint, scripts), timed(lambda file: ast.parse(file.read_bytes()), files))
"""


def test_the_fingerprints_of_all_scripts_take_no_longer_than_parsing_the_package_some_times() -> None:
    # in a process of its own, where the garbage collector has no more to do than at a start of Snakemake
    done = subprocess.run([sys.executable, "-c", TIMES, str(SCRIPTS)], check=True, capture_output=True, text=True)
    ours, parsing = zip(*(map(float, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert min(ours) <= 6 * min(parsing)


def test_the_garbage_collector_rests_while_sources_are_read_and_then_goes_on() -> None:
    runs: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        runs.append(phase)

    source_tree.cache_clear()
    gc.callbacks.append(note)
    try:
        script_fingerprint(SCRIPTS / "train_detector.py")
    finally:
        gc.callbacks.remove(note)
    assert runs == []
    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError):
        fingerprint("lungpipe.cellar")
    assert gc.isenabled()
    gc.disable()
    fingerprint("lungpipe.tables.io")
    assert not gc.isenabled()
    gc.enable()


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


def test_the_machine_is_described_without_its_name():
    facts = machine()
    assert re.fullmatch(r"\d+ cores", facts["cores"])
    assert re.fullmatch(r"\d+ GiB of memory", facts["memory"])
    assert platform.node() not in " ".join(facts.values())
