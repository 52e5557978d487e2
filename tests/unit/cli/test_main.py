"""The command line as a whole: version, help, exit codes, completion."""

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
import typer
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


@pytest.mark.parametrize("command", [[], ["prepare"], ["detect"], ["evaluate"], ["fetch"]])
def test_every_command_explains_itself_by_the_short_option(command):
    long, short = (CliRunner().invoke(app, [*command, option]) for option in ("--help", "-h"))
    assert short.exit_code == 0
    assert short.output == long.output


def test_help_lists_the_exit_codes():
    assert "2 bad input or wrong command line" in " ".join(CliRunner().invoke(app, ["--help"]).output.split())


def test_help_prints_every_word_and_breaks_lines_only_where_the_terminal_ends():
    # words in brackets are taken for markup, and left out
    for command in typer.main.get_command(app).commands.values():
        texts = [command.help, *(option.help or "" for option in command.params)]
        assert not re.search(r"\[[a-z]+\]", " ".join(texts)), command.name
        printed = CliRunner().invoke(app, [command.name, "--help"], env={"COLUMNS": "1000"}).output
        for paragraph in command.help.split("\n\n"):
            assert paragraph in printed


@pytest.mark.parametrize("command", [["no-such-command"], ["evaluate"], ["prepare", "--no-such-option"]])
def test_a_wrong_command_line_ends_with_code_two(command):
    assert CliRunner().invoke(app, command).exit_code == 2


def test_an_interrupt_ends_with_code_130(tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lungpipe.phantom.write_phantom", interrupt)
    assert CliRunner().invoke(app, ["phantom", str(tmp_path / "phantom")]).exit_code == 130


def test_completion_lists_the_commands():
    environment = os.environ | {"_LUNGPIPE_COMPLETE": "complete_bash", "COMP_WORDS": "lungpipe eva", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from lungpipe.cli.main import app; app(prog_name='lungpipe')"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "evaluate" in answer.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [("lungpipe eva", ["evaluate"]), ("lungpipe compare --bo", ["--bootstraps"]), ("lungpipe convert mo", ["monai"])],
)
def test_bash_completes_commands_options_and_choices(words, expected, tmp_path):
    program = tmp_path / "lungpipe"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lungpipe "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(_LUNGPIPE_COMPLETE=source_bash lungpipe)"\n'
        f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}\n"
        '_lungpipe_completion lungpipe; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    answer = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == expected, answer.stderr
