"""What a module stands on, in a small package written for the purpose."""

import textwrap
from pathlib import Path

import pytest

from lungpipe.services.sources import SourceTree

MODULES = {
    "__init__": '"""House."""',
    "grid": "SPACING = 1.0",
    "io": "from house.grid import SPACING",
    "options": "import house.grid",
    "room.__init__": """
        '''Room.'''
        from house.room.door import Door
        from house.room.window import Window, pane
        from . import lamp
        __all__ = ["Door", "Window", "lamp", "pane"]
    """,
    "room.door": "from house.io import SPACING\nclass Door: ...",
    "room.window": "class Window: ...\ndef pane(): ...",
    "room.lamp": "from ..options import house",
    "attic.__init__": "from house.room import Window as _W\nCHEST = 3",
    "attic.box": "X = 1",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    root = tmp_path / "house"
    for module, text in MODULES.items():
        write(root, module, text)
    return root


def write(root: Path, module: str, text: str) -> None:
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text) + "\n")


def closure(root: Path, text: str, **options) -> list[str]:
    write(root, "entry", text)
    found = SourceTree(root, **options).closure(("house.entry",))
    assert "house.entry" in found
    return [module.removeprefix("house.") for module in found if module != "house.entry"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import numpy\nfrom json import loads", []),
        ("import house.io", ["grid", "io"]),
        ("import house.io as reader", ["grid", "io"]),
        ("from house import io", ["grid", "io"]),
        ("from house.io import SPACING", ["grid", "io"]),
        ("from .io import SPACING", ["grid", "io"]),
        ("from . import io", ["grid", "io"]),
        ("from .room.window import pane", ["room.window"]),
        ("def late():\n    from house.io import SPACING\n    return SPACING", ["grid", "io"]),
        ("try:\n    import house.grid\nfinally:\n    pass", ["grid"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_of_import_is_followed(house: Path, text: str, expected: list[str]) -> None:
    assert closure(house, text) == expected


def test_a_reexported_name_leads_to_the_module_that_defines_it_and_to_no_other(house: Path) -> None:
    assert closure(house, "from house.room import Window") == ["room.window"]
    assert closure(house, "from house.room import Door") == ["grid", "io", "room.door"]
    assert closure(house, "from house.room import lamp") == ["grid", "options", "room.lamp"]


def test_a_whole_package_counts_with_all_that_it_reexports(house: Path) -> None:
    everything = ["grid", "io", "options", "room", "room.door", "room.lamp", "room.window"]
    assert closure(house, "from house import room") == everything
    assert closure(house, "from house.room import *") == everything


def test_a_package_with_code_of_its_own_counts_for_its_modules_too(house: Path) -> None:
    assert closure(house, "import house.attic.box") == ["attic", "attic.box", "room.window"]
    assert closure(house, "from house.attic import CHEST") == ["attic", "room.window"]


def test_imports_for_the_type_checker_never_run_and_do_not_count(house: Path) -> None:
    text = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from house.io import SPACING
        else:
            from house.room.window import Window
    """
    assert closure(house, text) == ["room.window"]


def test_a_script_outside_the_package_imports_what_its_names_lead_to(house: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import numpy\nfrom house.room import Window, Door\nimport house.grid\n")
    assert SourceTree(house).imports_of_script(script) == {"house.room.window", "house.room.door", "house.grid"}


def test_an_unfollowed_module_and_what_lies_below_it_are_left_out(house: Path) -> None:
    text = "from house.room import Door\nfrom house.room.lamp import house\nimport house.grid"
    assert closure(house, text, unfollowed=frozenset({"house.room"})) == ["grid"]


def test_modules_that_import_each_other_end(house: Path) -> None:
    write(house, "grid", "import house.entry")
    assert closure(house, "import house.grid") == ["grid"]


def test_an_unknown_module_is_an_error_that_names_it(house: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"house\.cellar: expected a module"):
        closure(house, "import house.cellar")
    with pytest.raises(ModuleNotFoundError, match="numpy"):
        SourceTree(house).closure(("numpy",))


CODE = '''
"""Module."""
LIMIT = 3
"""What the limit is."""

class Judge:
    """Class."""

    def decide(self, value):
        """Method."""
        # why
        return value > LIMIT

def empty():
    """Only a docstring."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""', '"""Another."""'),
        ('"""What the limit is."""', ""),
        ('"""Class."""', "'''Other class.'''"),
        ('"""Method."""', '"""Method.\n\n        At length.\n        """'),
        ("# why", "# because"),
        ("        # why\n", "\n\n"),
        ("value > LIMIT", "(value  >  LIMIT)"),
        ('"""Only a docstring."""', "pass"),
    ],
)
def test_words_and_layout_do_not_change_the_digest(house: Path, old: str, new: str) -> None:
    assert old in CODE
    write(house, "entry", CODE)
    before = SourceTree(house).digest("house.entry")
    write(house, "entry", CODE.replace(old, new))
    assert SourceTree(house).digest("house.entry") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("value > LIMIT", "value >= LIMIT"),
        ("value > LIMIT", '"value > LIMIT"'),
        ("def empty():", "def empty(x=0):"),
        ("class Judge:", "class Judge(dict):"),
        ('"""Only a docstring."""', "return 1"),
    ],
)
def test_code_changes_the_digest(house: Path, old: str, new: str) -> None:
    assert old in CODE
    write(house, "entry", CODE)
    before = SourceTree(house).digest("house.entry")
    write(house, "entry", CODE.replace(old, new))
    assert SourceTree(house).digest("house.entry") != before


def test_reading_runs_nothing(house: Path) -> None:
    write(house, "grid", "raise SystemExit('imported')")
    assert closure(house, "import house.grid") == ["grid"]
