"""The download from the command line, against a server on this machine."""

import importlib.util
import io
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lungpipe.cli.fetch_progress import watching
from lungpipe.cli.main import app

_PATH = Path(__file__).parents[2] / "reference" / "record_server.py"
_SPEC = importlib.util.spec_from_file_location("record_server", _PATH)
record_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(record_server)

TABLES = ["annotations.csv", "annotations_excluded.csv", "candidates_V2.csv", "seriesuids.csv"]


@pytest.fixture
def server():
    running = record_server.RecordServer(record_server.luna_files())
    yield running
    running.close()


@pytest.fixture
def run(server):
    def run(*arguments, code=0, source=True):
        given = [str(argument) for argument in arguments] + (["--source", server.source] if source else [])
        result = CliRunner().invoke(app, ["fetch", *given])
        assert result.exit_code == code, result.output
        return result.output

    return run


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("options", "subsets"),
    [
        (("--subsets", 0, 8), [0, 8]),
        (("--subsets", 3, "--connections", 1), [3]),
        (("--subsets", 1, "--subsets", 2), [1, 2]),
        (("--subsets=5",), [5]),
        ((), list(range(10))),
    ],
)
def test_subsets_as_asked_for(run, tmp_path, options, subsets):
    said = run(tmp_path / "LUNA16", *options)
    assert visible(tmp_path / "LUNA16") == [*TABLES, *(f"subset{subset}" for subset in subsets)]
    assert said.endswith(f"{len(subsets) + 3} files fetched, all of the request complete\n")


def test_lung_masks_where_they_are_asked_for(run, tmp_path):
    said = run(tmp_path / "LUNA16", "--tables-only", "--lung-masks")
    assert visible(tmp_path / "LUNA16") == sorted([*TABLES, "seg-lungs-LUNA16"])
    assert said.endswith("4 files fetched, all of the request complete\n")


def test_the_folder_may_stand_behind_the_numbers(run, tmp_path):
    run("--subsets", 0, 1, tmp_path / "LUNA16")
    assert visible(tmp_path / "LUNA16") == [*TABLES, "subset0", "subset1"]


def test_tables_only_and_then_nothing_left_to_do(run, tmp_path):
    run(tmp_path, "--tables-only")
    assert visible(tmp_path) == TABLES
    said = run(tmp_path, "--tables-only")
    assert "annotations.csv: complete" in said
    assert "0 files fetched" in said


def test_quiet_shows_nothing(run, tmp_path):
    assert run(tmp_path, "--subsets", 0, "--quiet") == ""
    assert "subset0" in visible(tmp_path)


def test_archives_stay_where_wanted(run, tmp_path):
    run(tmp_path, "--subsets", 4, "--keep-archives")
    assert visible(tmp_path / "archives") == ["candidates_V2.zip", "evaluationScript.zip", "subset4.zip"]


def test_plain_lines_without_a_terminal(run, server, tmp_path):
    said = run(tmp_path, "--subsets", 0)
    assert "4 files to fetch, 0.0 MB, 4 at a time" in said
    assert "subset0.zip: 100 %" in said
    assert "\x1b" not in said
    assert re.search(r"subset0\.zip: unpacking\n(.*\n)*subset0\.zip: done", said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--subsets", 10), "expected subsets among 0 to 9"),
        (("--subsets", 0, "--tables-only"), "not both"),
        (("--connections", 5), "less than or equal to 4"),
        (("--subsets",), "requires an argument"),
    ],
)
def test_impossible_requests_end_with_code_2(run, server, tmp_path, options, message):
    said = run(tmp_path / "LUNA16", "--source", server.source, *options, code=2, source=False)
    assert message in re.sub(r"[\s│]+", " ", said)
    assert not (tmp_path / "LUNA16").exists()


def test_a_failure_ends_with_code_2_and_its_reason(run, server, tmp_path):
    server.faults["subset0.zip"] = [("status", 404)]
    said = run(tmp_path, "--subsets", 0, 1, code=2)
    assert "1 of 5 files did not come" in said
    assert "subset0.zip: the server answered 404" in said
    assert visible(tmp_path / "subset1") == ["1.2.1.mhd", "1.2.1.raw"]


def test_too_little_disk_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    assert "0.3 GB of disk space, 0.0 MB are free" in run(tmp_path, code=2)


def test_a_source_over_plain_http_is_refused(run, tmp_path):
    said = run(tmp_path, "--source", "http://example.org/api/records", code=2, source=False)
    assert "http://example.org/api/records: expected an https address, found http" in said


def test_bars_in_a_terminal():
    shown = io.StringIO()
    with watching(Console(file=shown, force_terminal=True, width=120)) as watch:
        watch.progress("subset0.zip", 0, 7_000_000)
        watch.progress("subset0.zip", 3_500_000, 7_000_000)
        watch.say("subset1.zip: [done]")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert "3.5/7.0 MB" in text
    assert "subset1.zip: [done]\n" in text


def test_a_line_for_every_tenth_elsewhere(capsys):
    with watching(Console(file=io.StringIO())) as watch:
        for done in range(0, 101, 4):
            watch.progress("a.zip", done, 100)
        watch.progress("a.zip", 0, 100)
        watch.progress("a.zip", 10, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"a.zip: {percent} %" for percent in (*range(10, 101, 10), 10)]
