"""Real runs of the smallest study, each in a checkout of its own: one whole run, and cheap copies of what it left."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "pyproject.toml", "envs", "profiles", "recipes", "src", "studies", "workflow")
STUDY = "studies/ci.yaml"
OURS = ("LUNGPIPE_", "MLFLOW_", "SNAKEMAKE_")
"""Variables that would make a run depend on who runs it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A job of a dry run."""

    rule: str
    wildcards: dict[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: str

    @property
    def name(self) -> str:
        """The rule with the number of its subset or fold: `prepare_subset 1`."""
        return " ".join([self.rule, *map(str, self.wildcards.values())])


@dataclass(frozen=True, slots=True)
class Answer:
    """What Snakemake said, standard output and errors in their order."""

    code: int
    text: str

    @property
    def jobs(self) -> list[Planned]:
        """The jobs it would run or ran; `all` is none of them."""
        return [job for job in parse_jobs(self.text) if job.rule != "all"]

    @property
    def names(self) -> set[str]:
        """The names of its jobs."""
        return {job.name for job in self.jobs}


def parse_jobs(text: str) -> list[Planned]:
    """Read the blocks `rule <name>:` with their indented lines."""
    jobs = []
    for head, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", text, re.MULTILINE):
        lines = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        wildcards = re.findall(r"(\w+)=(\d+)", lines.get("wildcards", ""))
        # `update` and the like stand behind a file in parentheses
        listed = (re.sub(r" \(\w+\)", "", lines.get(key, "")).split(", ") for key in ("input", "output"))
        files = (tuple(filter(None, names)) for names in listed)
        jobs.append(Planned(head, {key: int(value) for key, value in wildcards}, *files, lines.get("reason", "")))
    return jobs


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the project in which Snakemake runs, with the package of the copy."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def dataset(self) -> Path:
        """Results of everything that recipes share."""
        return self.folder / "results" / "ci"

    @property
    def recipe(self) -> Path:
        """Results of the recipe."""
        return self.dataset / "flagship"

    def raw(self, subset: int) -> Path:
        """The raw data of the first scan of a subset."""
        return sorted((self.dataset / "raw" / f"subset{subset}").glob("*.raw"))[0]

    def delta(self, text: str) -> str:
        """Write a delta over the study; return its name."""
        (self.folder / "delta.yaml").write_text(text)
        return "delta.yaml"

    def command(self, *arguments: str, delta: str | None = None) -> list[str]:
        studies = [STUDY, delta] if delta else [STUDY]
        # a report runs nothing, so nobody should have to grant it cores
        cores = [] if "--report" in arguments else ["--cores", "2"]
        return [sys.executable, "-m", "snakemake", "--configfile", *studies, *cores, *arguments]

    def variables(self) -> dict[str, str]:
        """The environment: Python finds the package of this copy before the installed one, and may cache bytecode."""
        left_out = (*OURS, "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return {**kept, "PYTHONPATH": str(self.folder / "src"), **self.environment}

    def snakemake(self, *arguments: str, delta: str | None = None, expect: int = 0) -> Answer:
        """Run Snakemake on the study and check its exit code."""
        done = subprocess.run(
            self.command(*arguments, delta=delta),
            cwd=self.folder,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == expect, f"exit code {done.returncode}, expected {expect}\n{done.stdout[-6000:]}"
        return Answer(done.returncode, done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake in a process group of its own; its output is `started.log`."""
        with (self.folder / "started.log").open("w") as log:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.variables(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def plan(self, *arguments: str, delta: str | None = None) -> Answer:
        """Run dry."""
        return self.snakemake("--dry-run", *arguments, delta=delta)

    def refuse(self, delta: str) -> str:
        """Run a study that cannot be run; return the message after checking that nothing else happened."""
        answer = self.snakemake(delta=delta, expect=1)
        assert "Traceback" not in answer.text
        assert not answer.jobs
        return answer.text


def check_out(folder: Path) -> Checkout:
    """Copy the parts of the project that a run needs."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / part)
    return Checkout(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The whole study, run once, however many workers test it; its log is `run.log`. Tests leave it as it is."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "finished-study"
    with (shared / "finished-study.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            checkout = check_out(folder)
            (folder / "run.log").write_text(checkout.snakemake().text)
    assert (folder / "run.log").is_file(), f"the study did not finish; see {folder}"
    return Checkout(folder)


@pytest.fixture
def copy(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished study, its times and Snakemake's records included, for a test to change."""
    folder = tmp_path / "study"
    shutil.copytree(finished.folder, folder)
    return Checkout(folder)


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run."""
    return check_out(tmp_path / "study")


@pytest.fixture(scope="session")
def check_out_into() -> Callable[[Path], Checkout]:
    """Return what makes a checkout in a folder, for fixtures that serve a whole module."""
    return check_out
