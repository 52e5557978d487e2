"""Every command that README, CONTRIBUTING and docs show can be typed: planned, parsed, or found."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from documented_commands import ROOT, Command, commands_in, list_commands

from lungpipe.cli.main import app
from lungpipe.phantom import write_phantom
from lungpipe.settings import PhantomSettings

COMMANDS = list_commands()
CLUSTER = "preprocessing:\n  scheduler_address: tcp://HOST:8786\n  worker_memory_gib: 4.0\n"


def documented(*programs: str, has_arguments: bool = True) -> list:
    found = [one for one in COMMANDS if one.program in programs and (one.arguments or not has_arguments)]
    return [pytest.param(command, id=str(command)) for command in found]


def documented_plans() -> list:
    """Snakemake's commands, once each: pages, variables and numbers of cores plan nothing else."""
    shown = [command for command in COMMANDS if command.program == "snakemake" and command.arguments]
    # a report needs a finished study, which tests/workflow/test_whole_run.py has
    shown = [command for command in shown if "--report" not in command.arguments]
    plans = {re.sub(r"--cores \d+ ?", "", " ".join(command.words)): command for command in shown}
    return [pytest.param(command, id=str(command)) for command in plans.values()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, check_out_into):
    """A checkout, and as LUNA16 and as its crops ten small scans in LUNA16's layout."""
    folder = tmp_path_factory.mktemp("documented")
    size = PhantomSettings(scans_per_subset=1, extent_zyx_mm=(80, 96, 120), slice_spacing_mm=(2.0, 2.0), seed=1)
    write_phantom(folder / "shared" / "luna16-crops", size, 10, num_workers=1)
    write_whole_scans(folder / "shared")
    study = check_out_into(folder / "study")
    (study.folder / "cluster.yaml").write_text(CLUSTER)
    write_candidates(study.folder / "results" / "phantom" / "flagship")
    crops = str(folder / "shared" / "luna16-crops")
    study.environment.update(LUNGPIPE_SLURM_ACCOUNT="a", LUNGPIPE_SLURM_PARTITION="p")
    study.environment.update(LUNA16_ROOT=crops, LUNGPIPE_SHARED=str(folder / "shared"))
    return study


def write_whole_scans(shared: Path) -> None:
    """Write what a plan reads of the whole scans: LUNA16's tables without a finding, and the folders of the scans."""
    (shared / "luna16").mkdir()
    for name in ("annotations.csv", "annotations_excluded.csv"):
        (shared / "luna16" / name).write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    study = yaml.safe_load((ROOT / "studies" / "luna16_crops_whole.yaml").read_text())
    rows = []
    for number, (uid, path) in enumerate(study["dataset"]["whole_scans"].items()):
        name = path.rpartition("/")[2]
        rows.append(f"{uid},{name},{number}\n")
        (shared / "dicom" / name).mkdir(parents=True)
        (shared / "dicom" / name / "1.dcm").write_bytes(b"")
    (shared / "luna16" / "series.csv").write_text("seriesuid,patient_id,subset\n" + "".join(rows))


def write_candidates(study: Path) -> None:
    """Write what a plan needs of a finished study whose candidates another study scores: that the files are there.

    The detector is for a scorer that sees its masks.
    """
    for fold in yaml.safe_load((ROOT / "config.yaml").read_text())["folds"]:
        for name in ("candidates.parquet", "mined.parquet", "detector.safetensors"):
            (study / f"fold{fold}").mkdir(parents=True, exist_ok=True)
            (study / f"fold{fold}" / name).touch()


def plan(checkout, command: Command) -> subprocess.CompletedProcess:
    arguments = command.arguments
    if not command.is_line and not {"--cores", "--profile"} & set(arguments):
        arguments = ["--cores", "1", *arguments]
    # in front, since words behind --configfile are files
    dry = [] if "--unlock" in arguments else ["--dry-run"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *dry, *arguments],
        cwd=checkout.folder,
        env=checkout.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("command", documented_plans())
def test_snakemake_plans_it(checkout, command):
    done = plan(checkout, command)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_profile_of_slurm_asks_for_account_and_partition(checkout):
    del checkout.environment["LUNGPIPE_SLURM_PARTITION"]
    words = "snakemake --profile workflow/profiles/slurm --configfile studies/ci.yaml"
    done = plan(checkout, Command("a page", tuple(words.split())))
    checkout.environment["LUNGPIPE_SLURM_PARTITION"] = ""
    assert done.returncode == 2
    assert "expected the environment variables LUNGPIPE_SLURM_PARTITION (may be empty), found none" in done.stdout
    assert plan(checkout, Command("a page", tuple(words.split()))).returncode == 0


def test_a_target_behind_configfile_is_refused(checkout):
    words = "snakemake --cores 8 --configfile studies/luna16.yaml results/luna16/volumes/subset3/manifest.json"
    assert plan(checkout, Command("a page", tuple(words.split()))).returncode != 0


UsageError = typer.BadParameter.__base__
"""What a command line is refused with (typer brings a click of its own)."""


def parse(command: Command) -> None:
    """Parse a command line as `lungpipe` does, and run nothing; in a code span arguments may be left out."""
    group = typer.main.get_command(app)
    name, *arguments = command.arguments
    if name.startswith("-"):
        group.make_context("lungpipe", [name, "info"], resilient_parsing=True)
        return
    assert name in group.commands
    if command.is_line:
        group.commands[name].make_context(name, arguments)
    else:
        known = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("-")} <= known


@pytest.mark.parametrize("command", documented("lungpipe"))
def test_lungpipe_parses_it(command):
    parse(command)


@pytest.mark.parametrize(
    "text", ["lungpipe fetch --subset 0", "lungpipe evaluate a.csv --out b", "lungpipe phantom a --subsets x"]
)
def test_wrong_lines_are_refused(text):
    with pytest.raises(UsageError):
        parse(Command("a page", tuple(text.split())))


def test_an_unknown_option_in_the_text_is_refused():
    with pytest.raises(AssertionError):
        parse(Command("a page", ("lungpipe", "fetch", "--lungs"), is_line=False))


@pytest.mark.parametrize("command", documented("make"))
def test_make_has_the_target(command):
    done = subprocess.run(
        ["make", "--dry-run", *command.arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_make_ui_starts_mlflow_with_one_worker_no_job_runner_and_no_usage_data(tmp_path):
    program = tmp_path / "mlflow"
    program.write_text(
        """#!/bin/sh\nprintf '[%s]' "$MLFLOW_SERVER_ENABLE_JOB_EXECUTION" "$MLFLOW_DISABLE_TELEMETRY" "$@"\n"""
    )
    program.chmod(0o755)
    # as if it were installed in another environment
    command = ["make", "--silent", "ui", f"VENV={tmp_path}", f"--old-file={tmp_path}/.installed-run"]
    variables = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == "[false][true][ui][--workers][1][--backend-store-uri][sqlite:///results/mlflow.db]"


@pytest.mark.parametrize("command", documented("mlflow", "dask"))
def test_its_program_knows_the_options(command):
    program = Path(sys.executable).with_name(command.program)
    done = subprocess.run(
        [str(program), *command.arguments, "--help"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", documented("python", "python3", "pytest"))
def test_python_finds_the_file_and_its_options(command):
    if command.arguments[:1] == ["-m"] and command.program != "pytest":
        assert importlib.util.find_spec(command.arguments[1]) is not None
        return
    files = [word for word in command.arguments if word.endswith(".py")]
    assert files
    for file in files:
        text = (ROOT / file).read_text()
        if command.program != "pytest":
            options = [word for word in command.arguments if word.startswith("--")]
            assert [option for option in options if f'"{option}"' not in text] == []


@pytest.mark.parametrize("command", documented("pip"))
def test_pip_finds_the_constraints_and_the_extras(command):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = command.arguments
    assert words[0] == "install"
    assert (ROOT / words[words.index("-c") + 1]).is_file()
    extras = re.findall(r"[a-z]+", words[words.index("-e") + 1].removeprefix("."))
    assert set(extras) <= set(project["optional-dependencies"])


def variables() -> list:
    exported = [argument for command in COMMANDS if command.program == "export" for argument in command.arguments]
    before = [variable for command in COMMANDS for variable in command.variables]
    return sorted({assignment.split("=")[0] for assignment in exported + before})


@pytest.mark.parametrize("name", variables())
def test_something_reads_the_variable(name):
    places = [*ROOT.glob("studies/*.yaml"), *ROOT.glob("src/**/*.py"), *ROOT.glob("workflow/profiles/*/*.yaml")]
    mlflow = importlib.util.find_spec("mlflow")
    places.append(Path(os.fspath(mlflow.origin)).with_name("environment_variables.py"))
    assert any(name in path.read_text() for path in places)


def test_commands_are_found_in_blocks_and_spans():
    block = "    export A=b\n    lungpipe info x  # a scan\n    plain text\n"
    page = f"Use `make run`.\n\n{block}\n```\nsnakemake \\\n  --cores 8\n```\n"
    assert [command.words for command in commands_in(page, "a page")] == [
        ("snakemake", "--cores", "8"),
        ("export", "A=b"),
        ("lungpipe", "info", "x"),
        ("make", "run"),
    ]


def test_the_pages_show_every_command_of_lungpipe():
    shown = {command.arguments[0] for command in COMMANDS if command.program == "lungpipe" and command.arguments}
    names = set(typer.main.get_command(app).commands)
    assert names <= shown
