"""Shell commands that the documentation shows: lines of code blocks, and code spans in the text."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md")
PROGRAMS = ("lungpipe", "snakemake", "make", "mlflow", "dask", "python", "python3", "pip", "pytest", "export")
PLACEHOLDERS = {
    "studies/<name>": "studies/luna16",
    "recipe=<name>": "recipe=flagship",
    "<dataset>": "phantom",
    "<folder>": "shared",
}
"""What a reader puts in, and what the tests put in."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*$")


@dataclass(frozen=True, slots=True)
class Command:
    """A documented command: page, words, variables that are set before its program, and whether it is a whole line.

    A code span in the text (`is_line` is false) may leave arguments out.
    """

    page: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()
    is_line: bool = True

    @property
    def program(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def arguments(self) -> list[str]:
        """The words behind the program."""
        return list(self.words[1:])

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def list_commands() -> list[Command]:
    """Return every command of all pages once, in the order of the pages."""
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    found = [command for path in pages for command in commands_in(path.read_text(), str(path.relative_to(ROOT)))]
    return list(dict.fromkeys(found))


def commands_in(text: str, page: str) -> list[Command]:
    """Return the commands of a page: fenced blocks (as shell or as nothing), indented lines, code spans."""
    fenced = [body for language, body in _FENCE.findall(text) if language in ("", "sh", "bash", "shell")]
    rest = _FENCE.sub("", text)
    indented = [line.removeprefix("    ") for line in rest.splitlines() if line.startswith("    ")]
    lines = "\n".join([*fenced, *indented]).replace("\\\n", " ").splitlines()
    prose = "\n".join(line for line in rest.splitlines() if not line.startswith("    "))
    parsed = [_command(line, page, is_line=True) for line in lines]
    parsed += [_command(" ".join(span.split()), page, is_line=False) for span in _SPAN.findall(prose)]
    return [command for command in parsed if command is not None]


def _command(text: str, page: str, *, is_line: bool) -> Command | None:
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    first = next((word for word in text.split() if not _ASSIGNMENT.match(word)), "")
    if first not in PROGRAMS:
        return None
    words = shlex.split(text, comments=True)
    num_variables = next(number for number, word in enumerate(words) if not _ASSIGNMENT.match(word))
    return Command(page, tuple(words[num_variables:]), tuple(words[:num_variables]), is_line)
