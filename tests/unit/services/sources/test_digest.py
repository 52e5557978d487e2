"""Which edits of a definition change its digest, and which only change words."""

from pathlib import Path

import pytest
from written_package import digests, write_module

from lungpipe.services.sources import SourceTree

CODE = '''
"""Module."""
from dataclasses import dataclass
from house.words import Column, Setting
from house.ends import End
import numpy as np

LIMIT = 3
"""What the limit is."""
TABLE = {"a": Column("int", "mm, along z", is_nullable=True), "b": Column(kind="int", meaning="a number")}

@dataclass
class Judge:
    """Class."""

    size: int = 3
    """Its size."""

    def decide(self, value: float, *, is_sure: bool = False) -> bool:
        """Method."""
        # why
        ratio: float = value / LIMIT
        if value < 0:
            found = f"{value} of {len(TABLE)}"
            raise ValueError(f"expected a positive value, found {found}")
        assert value != 2, "not two"
        return ratio > 1

class Options(Setting):
    length: int = 4
    """how long"""
    is_wide: bool = True
    builds: ClassVar[str] = "house.ends:End"
    sides = 4
    model_config = {"frozen": True}

    @property
    def area(self) -> int:
        return self.length * 2

    @model_validator(mode="after")
    def check(self):
        return self

def main(judge: Judge, options: Options, log):
    log(f"judged {judge} with {describe()}")
    log.warning("slow", stacklevel=2)
    reason = "none" if judge else "some"
    return TABLE, np.log(options.area), reason, End

def describe():
    return "a judge"

def empty():
    """Only a docstring."""
'''

MODULES = {
    "__init__": "",
    "words": """
        class Column:
            kind: str
            meaning: str
            is_nullable: bool = False
        class Setting: ...
    """,
    "ends": "class End: ...",
    "others": "class End: ...",
    "entry": CODE,
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    root = tmp_path / "house"
    for module, text in MODULES.items():
        write_module(root, module, text)
    return root


def read(house: Path, entry: str = "entry:main") -> dict:
    return digests(house, entry, values=("house.words", ("Setting",)))


def edit(house: Path, old: str, new: str) -> None:
    assert CODE.count(old) == 1, old
    write_module(house, "entry", CODE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""', '"""Another."""'),
        ('"""What the limit is."""', ""),
        ('"""Class."""', "'''Other class.'''"),
        ('"""Method."""', '"""Method.\n\n        At length.\n        """'),
        ("# why", "# because"),
        ("        # why\n", "\n\n"),
        ("ratio > 1", "(ratio  >  1)"),
        ('"""Only a docstring."""', "pass"),
        ("value: float, *,", "value, *,"),
        ("-> bool:", "-> object:"),
        ("ratio: float = value", "ratio = value"),
        ('"mm, along z"', '"mm, along the axis z"'),
        ('meaning="a number"', 'meaning="any number"'),
        ('f"expected a positive value, found {found}"', '"expected another value" + str(found)'),
        ('found = f"{value} of {len(TABLE)}"', 'found = "too few"'),
        ('"not two"', '"two is too few"'),
        ("judged {judge} with {describe()}", "{judge} was judged"),
        ('"slow"', '"so slow"'),
        ("length: int = 4", "length: int = 5"),
        ('"""how long"""', '"""how long it is"""'),
        ("is_wide: bool = True", "is_high: bool = True"),
        ('{"frozen": True}', '{"frozen": False}'),
        ('mode="after")\n    def check(self):\n', 'mode="after")\n    def check(self):\n        print(self)\n'),
        ("def empty", "def unused"),
        ('return "a judge"', 'return "the judge"'),
        ("from house.ends import End", "from house.ends import End, Unused"),
    ],
)
def test_words_layout_and_values_of_settings_do_not_count(house: Path, old: str, new: str) -> None:
    before = read(house)
    edit(house, old, new)
    assert read(house) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("ratio > 1", "ratio >= 1"),
        ("ratio > 1", '"ratio > 1"'),
        ("value < 0", "value <= 0"),
        ("class Judge:", "class Judge(dict):"),
        ("@dataclass\n", ""),
        ("size: int = 3", "size: int = 2"),
        ("size: int = 3", "size: float = 3"),
        ("is_sure: bool = False", "is_sure: bool = True"),
        ("raise ValueError", "raise TypeError"),
        ("assert value != 2", "assert value != 3"),
        ('Column("int"', 'Column("float"'),
        ('kind="int"', 'kind="float"'),
        ("is_nullable=True", "is_nullable=False"),
        ("stacklevel=2", "stacklevel=3"),
        ("self.length * 2", "self.length * 3"),
        ('"house.ends:End"', '"house.ends:Ending"'),
        ("sides = 4", "sides = 3"),
        ('"none" if judge else "some"', '"no" if judge else "some"'),
        ("np.log", "np.log2"),
        ("import numpy as np", "import cupy as np"),
        ("from house.ends import End", "from house.others import End"),
        ("def main(judge", "def main(referee"),
    ],
)
def test_code_counts(house: Path, old: str, new: str) -> None:
    before = read(house)
    edit(house, old, new)
    assert read(house) != before


def test_a_name_that_comes_to_mean_what_is_reached_anyway_counts(house: Path) -> None:
    text = "from house.ends import End\nfrom house.others import End as Other\ndef main(): return End, Other"
    write_module(house, "entry", text)
    before = read(house)
    write_module(house, "entry", text.replace("ends", "x").replace("others", "ends").replace("x", "others"))
    assert set(read(house)) == set(before)
    assert read(house) != before


@pytest.mark.parametrize(
    "text",
    [
        "def main():\n    text = 'a {}'\n    raise ValueError(text.format(text))",
        "def main():\n    text = 'a {}'\n    text += 'c'\n    raise ValueError(text)",
        "def main(log):\n    text = 'a {}'\n    (log or print)(text)",
        "def main(log):\n    text = 'a {}' % 3\n    if log: raise ValueError(text) from None",
        "def main():\n    name = 'a {}'\n    def inner(): raise ValueError(f'{name}')\n    return inner",
        "def main(names):\n    found = ', '.join(names) or 'a {}'\n    raise ValueError(f'found {found}')",
    ],
)
def test_a_variable_that_is_read_in_messages_alone_is_part_of_them(house: Path, text: str) -> None:
    write_module(house, "entry", text)
    before = read(house)
    write_module(house, "entry", text.replace("'a {}'", "'b {}'"))
    assert read(house) == before


@pytest.mark.parametrize(
    "text",
    [
        "def main():\n    text = 'a {}'\n    raise ValueError(text) from text",
        "def main():\n    text = 'a {}'\n    if text: raise ValueError(text)",
        "def main(text):\n    text = text or 'a {}'\n    raise ValueError(text)",
        "def main():\n    text = 'a {}'\n    log(text)\n    return text",
        "def main():\n    text = 'a {}'\n    log(text)\n    def inner(): return text\n    return inner",
        "def main():\n    global text\n    text = 'a {}'\n    log(text)",
        "def main():\n    text = ['a {}']\n    raise ValueError(text)",
        "def main():\n    raise ValueError(['a {}'])",
        "def main():\n    write('a {}')",
    ],
)
def test_a_text_that_may_be_more_than_a_message_counts(house: Path, text: str) -> None:
    write_module(house, "entry", text)
    before = read(house)
    write_module(house, "entry", text.replace("'a {}'", "'b {}'"))
    assert read(house) != before


REFUSE = """
def refuse(path, *, expected, found="nothing"):
    place = f"{path}: {expected}"
    if path.is_file():
        raise ValueError(f"{place}, found {found}")
"""


@pytest.mark.parametrize(
    "text",
    [
        REFUSE + "def main(path): refuse(path, expected='a {}')",
        REFUSE + "def main(path): refuse(path, expected='a', found=f'{path} ' + 'a {}')",
        REFUSE.replace("*, ", "") + "def main(path): refuse(path, 'a {}')",
        "class FileError(OSError):\n    def __str__(self): return self.name + 'a {}'\ndef main(): raise FileError(3)",
        "class Limit:\n    def expectation(self): return 'a {}' if self.low else 'none'\ndef main(): return Limit",
    ],
)
def test_a_text_that_a_function_or_an_error_puts_into_a_message_does_not_count(house: Path, text: str) -> None:
    write_module(house, "entry", text)
    before = read(house)
    write_module(house, "entry", text.replace("a {}", "b {}"))
    assert read(house) == before


@pytest.mark.parametrize(
    "text",
    [
        REFUSE + "def main(path): refuse('a {}', expected='a')",
        REFUSE + "def main(path, name): refuse(path, expected=name('a {}'))",
        REFUSE + "    write(found)\ndef main(path): refuse(path, expected='a', found='a {}')",
        REFUSE.replace("*, ", "") + "def main(path, more): refuse(*more, 'a {}')",
        REFUSE.replace("*,", "*found,").replace('found="nothing"', "last=3") + "def main(path): refuse(path, 'a {}')",
        "def main():\n    raise OSError(3)\nclass Size:\n    def __str__(self): return 'a {}'\nmain = Size",
        "class FileError(OSError):\n    def code(self): return 'a {}'\ndef main(): raise FileError(3)",
    ],
)
def test_a_text_that_a_function_uses_for_more_than_a_message_counts(house: Path, text: str) -> None:
    write_module(house, "entry", text)
    before = read(house)
    write_module(house, "entry", text.replace("a {}", "b {}"))
    assert read(house) != before


def test_a_script_counts_without_its_words(house: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import house.entry\n# why\nresult = house.entry.main(1)\n")
    before = SourceTree(house).digest_script(script)
    script.write_text("import house.entry\n\nresult = house.entry.main(\n    1)\n")
    assert SourceTree(house).digest_script(script) == before
    script.write_text("import house.entry\nresult = house.entry.main(2)\n")
    assert SourceTree(house).digest_script(script) != before
