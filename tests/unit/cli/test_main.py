"""The command line as a whole: version, help, exit codes, completion."""

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

import lungpipe
from lungpipe.cli.main import app


def test_the_version_is_that_of_the_installed_package():
    assert lungpipe.__version__ == version("lungpipe")
    assert CliRunner().invoke(app, ["--version"]).output == f"lungpipe {version('lungpipe')}\n"


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'versoin'"):
        lungpipe.versoin  # noqa: B018


def test_the_module_runs_as_the_command():
    answer = subprocess.run([sys.executable, "-m", "lungpipe", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"lungpipe {version('lungpipe')}\n"


@pytest.mark.parametrize("command", [[], ["prepare"], ["evaluate"], ["fetch"]])
def test_every_command_explains_itself_by_the_short_option(command):
    long, short = (CliRunner().invoke(app, [*command, option]) for option in ("--help", "-h"))
    assert short.exit_code == 0
    assert short.output == long.output


def test_help_lists_the_exit_codes():
    assert "2 bad input or wrong command line" in " ".join(CliRunner().invoke(app, ["--help"]).output.split())


@pytest.mark.parametrize("command", [["no-such-command"], ["evaluate"], ["prepare", "--no-such-option"]])
def test_a_wrong_command_line_ends_with_code_two(command):
    assert CliRunner().invoke(app, command).exit_code == 2


def test_an_interrupt_ends_with_code_130(tmp_path):
    command = [sys.executable, "-m", "lungpipe", "phantom", str(tmp_path / "phantom"), "--full-size"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, start_new_session=True) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "phantom").exists() and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # a terminal interrupts the workers, too
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_completion_lists_the_commands():
    environment = os.environ | {"_LUNGPIPE_COMPLETE": "complete_bash", "COMP_WORDS": "lungpipe eva", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from lungpipe.cli.main import app; app(prog_name='lungpipe')"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "evaluate" in answer.stdout
