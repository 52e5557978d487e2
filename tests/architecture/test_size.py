"""Files and functions stay small enough to be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_POSITIONAL = 4


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def num_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return int(node.end_lineno or 0) - node.lineno + 1


def num_positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def findings(path: Path, text: str) -> Iterator[str]:
    count = len(text.splitlines())
    if count > MAX_FILE_LINES:
        yield f"{path}: expected at most {MAX_FILE_LINES} lines, found {count}"
    for node in functions(text):
        if num_lines(node) > MAX_FUNCTION_LINES:
            yield f"{path}: {node.name}: expected at most {MAX_FUNCTION_LINES} lines, found {num_lines(node)}"
        if num_positional(node) > MAX_POSITIONAL:
            yield f"{path}: {node.name}: expected at most {MAX_POSITIONAL} positional, found {num_positional(node)}"


def test_no_file_or_function_is_too_long(python_files: list[Path], root: Path) -> None:
    assert len(python_files) > 10
    assert [line for path in python_files for line in findings(path.relative_to(root), path.read_text())] == []


def test_no_test_file_is_too_long(root: Path) -> None:
    texts = {path.relative_to(root): path.read_text() for path in (root / "tests").rglob("*.py")}
    long = {path: count for path, text in texts.items() if (count := len(text.splitlines())) > MAX_FILE_LINES}
    assert long == {}


def test_files_and_functions_are_short_on_the_whole(root: Path) -> None:
    texts = [path.read_text() for path in (root / "src").rglob("*.py") if path.name != "__init__.py"]
    assert median(len(text.splitlines()) for text in texts) <= 100
    assert median(num_lines(node) for text in texts for node in functions(text)) <= 15


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * 300, 0),
        ("x = 1\n" * 301, 1),
        ("def f():\n" + "    x = 1\n" * 59, 0),
        ("def f():\n" + "    x = 1\n" * 60, 1),
        ("async def f():\n" + "    x = 1\n" * 60, 1),
        ("def f(a, b, c, d, *, e, g): ...", 0),
        ("def f(a, b, c, /, d, e): ...", 1),
        ("class A:\n    def f(self, a, b, c, d): ...", 0),
        ("class A:\n    def f(self, a, b, c, d, e): ...", 1),
    ],
)
def test_the_limits_are_where_they_should_be(text: str, expected: int) -> None:
    assert len(list(findings(Path("x.py"), text))) == expected
