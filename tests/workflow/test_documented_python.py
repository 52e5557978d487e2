"""The Python code that docs/python.md shows runs as it stands, and the names in its table are there."""

import re
from pkgutil import resolve_name

import pytest
from documented_commands import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = sorted(set(re.findall(r"`(lungpipe(?:\.\w+)+)`", PAGE)))


def test_the_example_runs(capsys):
    assert len(EXAMPLES) == 1
    exec(compile(EXAMPLES[0], "docs/python.md", "exec"), {})  # noqa: S102 - the page's own code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("1.0 2 ")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_the_table_is_there(name):
    assert resolve_name(name) is not None
