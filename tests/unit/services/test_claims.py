"""Claims of studies: kept by living processes, free after a kill, and what follows for locks and jobs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lungpipe.services.claims import CLAIMED, ClaimError, claim_study, clear_locks

CLAIM = """
import sys, time
from pathlib import Path
from lungpipe.services.claims import claim_study
claim = claim_study(Path(sys.argv[1]), Path(sys.argv[2]))
print("claimed", flush=True)
time.sleep(120)
"""
JOB = """
import time
from lungpipe.services import claims
claims.SECONDS_BETWEEN_LOOKS = 0.05
claims.end_with_run()
print("works", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def no_claim_of_this_process(monkeypatch):
    monkeypatch.setenv(CLAIMED, "")


@pytest.fixture
def start():
    """Start processes that say a word once they are ready; those that a test leaves are ended."""
    started = []

    def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        started.append(process)
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snakemake's folder with the locks of one run."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    for kind in ("input", "output"):
        (locks / f"0.{kind}.lock").write_text("results/report.html\n")
    return locks.parent


def locks_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "locks").iterdir())


def test_a_second_run_of_a_study_is_refused_by_name_and_keeps_the_locks(tmp_path, folder, start):
    first = start(CLAIM, tmp_path / "study", folder)
    with pytest.raises(ClaimError, match=rf"study: expected no other run of this study, found process {first.pid} on"):
        claim_study(tmp_path / "study", folder)
    [living] = clear_locks(folder)
    assert living.pid == first.pid
    assert locks_of(folder) == ["0.input.lock", "0.output.lock"]
    claim_study(tmp_path / "another", folder).release()


def test_the_locks_and_the_claim_of_a_killed_run_hold_up_nobody(tmp_path, folder, start):
    killed = start(CLAIM, tmp_path / "study", folder)
    killed.kill()
    killed.wait()
    assert len(list((folder / "lungpipe").glob("*.json"))) == 1
    assert clear_locks(folder) == []
    assert locks_of(folder) == []
    claim = claim_study(tmp_path / "study", folder)
    assert list((folder / "lungpipe").glob("*.json")) == [claim.path]
    claim.release()
    claim.release()
    assert not list((folder / "lungpipe").glob("*.json"))


def test_a_run_on_another_machine_may_live_as_long_as_there_are_locks(tmp_path, folder, start):
    elsewhere = start(CLAIM, tmp_path / "study", folder)
    [path] = (folder / "lungpipe").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "elsewhere"}))
    elsewhere.kill()
    elsewhere.wait()
    [living] = clear_locks(folder)
    assert living.host == "elsewhere"
    assert len(locks_of(folder)) == 2
    for lock in (folder / "locks").iterdir():
        lock.unlink()
    assert clear_locks(folder) == []
    assert not path.exists()


def test_nothing_is_written_where_snakemake_never_ran(tmp_path):
    assert clear_locks(tmp_path / ".snakemake") == []
    assert not (tmp_path / ".snakemake").exists()


def test_a_job_ends_with_the_killed_run_and_not_before(tmp_path, folder, start):
    run = start(CLAIM, tmp_path / "study", folder)
    [path] = (folder / "lungpipe").glob("*.json")
    job = start(JOB, **{CLAIMED: str(path)})
    time.sleep(0.5)
    assert job.poll() is None
    run.kill()
    run.wait()
    assert job.wait(timeout=10) == -signal.SIGTERM


@pytest.mark.parametrize("claimed", ["", "/no/such/claim.json"])
def test_a_job_without_a_run_is_left_alone(claimed, start):
    job = start(JOB, **{CLAIMED: claimed})
    time.sleep(0.3)
    assert job.poll() is None
