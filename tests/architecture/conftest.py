"""What the architecture tests look at: the checkout, its Python files and its rules."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^(?P<indent> *)(?:rule|checkpoint) (?P<name>\w+):")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as its text declares it: the source text after each directive's colon."""

    name: str
    file: Path
    directives: dict[str, str]

    def entries(self, directive: str) -> ast.Call:
        """The directive's entries, parsed as the arguments of a call."""
        call = ast.parse(f"entries({self.directives[directive]}\n)", mode="eval").body
        assert isinstance(call, ast.Call)
        return call

    def named(self, directive: str) -> dict[str, ast.expr]:
        """The directive's named entries."""
        return {str(keyword.arg): keyword.value for keyword in self.entries(directive).keywords}

    def pattern(self, directive: str) -> str:
        """The directive's one string, f-string fields in braces."""
        [value] = self.entries(directive).args
        return ast.unparse(value).removeprefix("f").strip("'\"").replace("{{", "{").replace("}}", "}")


def parse_rules(file: Path, text: str) -> Iterator[Rule]:
    lines = text.splitlines()
    starts = [(number, match) for number, line in enumerate(lines) if (match := RULE.match(line))]
    for number, match in starts:
        inner = len(match["indent"]) + 4
        directives: dict[str, list[str]] = {}
        for line in lines[number + 1 :]:
            if line.strip() and len(line) - len(line.lstrip()) < inner:
                break
            if head := re.match(rf"^ {{{inner}}}(\w+):(.*)$", line):
                current = directives.setdefault(head[1], [head[2]])
            elif directives:
                current.append(line)
        yield Rule(match["name"], file, {name: "\n".join(body) for name, body in directives.items()})


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def rules() -> list[Rule]:
    """Every rule below workflow/rules."""
    files = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    return [rule for file in files for rule in parse_rules(file, file.read_text())]


@pytest.fixture(scope="session")
def python_files() -> list[Path]:
    """Every Python file of the package and of the workflow's scripts."""
    return sorted(path for folder in ("src", "workflow") for path in (ROOT / folder).rglob("*.py"))


@pytest.fixture(scope="session")
def parse_text():
    """The parser of rules itself."""
    return parse_rules
