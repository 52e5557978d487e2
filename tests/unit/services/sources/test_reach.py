"""What an entry point reaches, in a small package written for the purpose."""

from pathlib import Path

import pytest
from written_package import reached, write_module

from lungpipe.services.sources import SourceTree

MODULES = {
    "__init__": '"""House."""',
    "grid": "SPACING = 1.0\nORIGIN = 0.0",
    "io": """
        from house.grid import SPACING
        def read(): return SPACING
        def write(): return json
    """,
    "room.__init__": """
        from house.room.door import Door as Gate
        from house.room.window import Window, pane
        from . import lamp
        from .stairs import *
        __all__ = ["Gate", "Window", "lamp", "pane"]
    """,
    "room.door": "from house import io\nclass Door:\n    def open(self): return io.read()",
    "room.window": "class Window: ...\ndef pane(): ...",
    "room.lamp": "from ..grid import ORIGIN\ndef light(): return ORIGIN\ndef dim(): ...",
    "room.stairs": "def climb(): ...",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    root = tmp_path / "house"
    for module, text in MODULES.items():
        write_module(root, module, text)
    return root


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import numpy\ndef main(): return numpy.zeros(len([1]))", set()),
        ("import house.io\ndef main(): return house.io.read()", {"io:read", "grid:SPACING"}),
        ("import house.io as i\ndef main(): return i.read()", {"io:read", "grid:SPACING"}),
        ("from house import io\ndef main(): return io.read", {"io:read", "grid:SPACING"}),
        ("from house.io import read\ndef main(): return read()", {"io:read", "grid:SPACING"}),
        ("from .io import read as r\ndef main(): return r()", {"io:read", "grid:SPACING"}),
        ("from . import io\ndef main(): return io.write()", {"io:write"}),
        ("def main():\n    from house.io import read\n    return read()", {"io:read", "grid:SPACING"}),
        ("def main():\n    from house import io as i\n    return i.write()", {"io:write"}),
        ("def main():\n    import house.grid as g\n    return g.ORIGIN", {"grid:ORIGIN"}),
        ("from house.grid import *\ndef main(): return ORIGIN", {"grid:ORIGIN"}),
        ("from house import room\ndef main(): return room.pane()", {"room.window:pane"}),
        ("from house.room import climb\ndef main(): return climb()", {"room.stairs:climb"}),
        (
            "from house.room import Gate\ndef main(): return Gate().open()",
            {"room.door:Door", "io:read", "grid:SPACING"},
        ),
        ("from house.room import lamp\ndef main(): return lamp.dim()", {"room.lamp:dim"}),
        ("def main(): return helper()\ndef helper(): return main()\ndef other(): ...", {"entry:helper"}),
        ("A = B = 1\nC, D = 2, 3\ndef main(): return A + C", {"entry:A", "entry:C"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_are_followed_to_their_definitions(house: Path, text: str, expected: set[str]) -> None:
    write_module(house, "entry", text)
    assert reached(house) == expected


PLACES = {
    "decorator": "@read\ndef main(): ...",
    "default": "def main(x=read): ...",
    "keyword default": "def main(*, x=read): ...",
    "base class": "class main(read): ...",
    "metaclass": "class main(metaclass=read): ...",
    "method": "class main:\n    def run(self): return read",
    "class attribute": "class main:\n    run = read",
    "nested function": "def main():\n    def inner(): return read()\n    return inner",
    "lambda": "main = lambda x: read(x)",
    "comprehension": "main = [read(x) for x in range(3)]",
    "its first iterable": "def main(): return [read for read in read()]",
    "import in a class": "class main:\n    from house.things import read as r",
    "parameter of another function": "def main(x=lambda read: read): return read()",
    "condition": "def main(): return [x for x in () if read]",
    "f-string": 'def main(): return f"{read()}"',
    "dictionary": "main = {'a': read}",
    "annotation of a parameter": "def main(x: read): ...",
    "annotation in quotes": "def main(x: 'list[read]'): ...",
    "field": "class main:\n    x: read",
    "with": "def main():\n    with read(): ...",
    "except": "def main():\n    try: ...\n    except read: ...",
    "match": "def main(x):\n    match x:\n        case read.A: ...",
    "global": "def main():\n    global read\n    read = read",
    "addition": "def main():\n    global read\n    read += 1",
}


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_a_name_counts_wherever_it_is_used(house: Path, text: str) -> None:
    write_module(house, "things", "class read: ...")
    write_module(house, "entry", f"from house.things import read\n{text}")
    # whatever a decorator of the package does, it does when the module is imported
    expected = {"things:read", "entry:"} if text.startswith("@") else {"things:read"}
    assert reached(house) == expected


@pytest.mark.parametrize(
    "text",
    [
        "def main(read): return read()",
        "def main():\n    read = 1\n    return read",
        "def main():\n    for read in (): read()",
        "def main():\n    return [read for read in ()]",
        "def main():\n    return lambda read: read",
        "def main():\n    with open('a') as read: return read",
        "def main():\n    read = 1\n    def inner(): return read\n    return inner",
        "def main() -> read: ...",
        "def main():\n    x: read = 1\n    return x",
    ],
)
def test_a_variable_of_the_same_name_is_another_thing(house: Path, text: str) -> None:
    write_module(house, "entry", f"from house.io import read\n{text}")
    assert reached(house) == set()


def test_a_name_of_a_comprehension_hides_nothing_outside_of_it(house: Path) -> None:
    write_module(house, "entry", "from house.io import write\ndef main(): return [write for write in ()], write()")
    assert reached(house) == {"io:write"}


def test_an_alias_in_an_annotation_leads_to_its_classes_and_does_not_count_itself(house: Path) -> None:
    write_module(house, "entry", "from house.room import Window\nInput = Window | int\ndef main(x: Input): ...")
    assert reached(house) == {"room.window:Window"}


def test_a_module_that_is_given_away_counts_whole(house: Path) -> None:
    write_module(house, "entry", "from house import io\ndef main(name): return getattr(io, name)")
    assert reached(house) == {"io:read", "io:write", "grid:SPACING"}


def test_an_entry_without_a_name_is_the_whole_module(house: Path) -> None:
    write_module(house, "entry", "from house.io import write\ndef one(): ...\ndef two(): ...")
    assert reached(house, "entry") == {"entry:one", "entry:two", "io:write"}


def test_either_branch_of_an_import_counts_with_its_condition(house: Path) -> None:
    text = """
        try:
            from house.io import write as work
        except ImportError:
            from house.room import pane as work
        def main(): return work()
    """
    write_module(house, "entry", text)
    assert reached(house) == {"entry:work", "io:write", "room.window:pane"}


def test_imports_for_the_type_checker_lead_from_annotations_alone(house: Path) -> None:
    text = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from house.room import Window
        else:
            from house.io import write
        def main(window: "Window"): return write()
    """
    write_module(house, "entry", text)
    assert reached(house) == {"room.window:Window", "entry:write", "io:write"}


@pytest.mark.parametrize(
    "effect",
    ["RUN.append(1)", "RUN['a'] = 1", "RUN += [1]", "for x in (): RUN.append(x)", "if RUN: RUN.clear()", "del RUN[0]"],
)
def test_statements_with_effects_count_with_whatever_imports_their_module(house: Path, effect: str) -> None:
    write_module(house, "effects", f"from house.grid import ORIGIN\nRUN = [ORIGIN]\n{effect}\ndef unused(): ...")
    write_module(house, "between", "import house.effects\nX = 1")
    write_module(house, "entry", "from house.between import X\ndef main(): return X")
    assert reached(house) >= {"effects:", "effects:RUN", "grid:ORIGIN", "between:X"}
    assert "effects:unused" not in reached(house)
    write_module(house, "entry", "def main(): ...")
    assert reached(house) == set()


def test_effects_of_a_package_count_for_its_modules(house: Path) -> None:
    write_module(house, "attic.__init__", "from house.io import write\nwrite()")
    write_module(house, "attic.box", "X = 1")
    write_module(house, "entry", "def main():\n    import house.attic.box")
    assert reached(house) == {"attic:", "io:write"}


def test_what_a_decorator_of_the_package_may_register_counts(house: Path) -> None:
    text = """
        from functools import cache
        KNOWN = {}
        def register(function): KNOWN[function.__name__] = function
        @register
        def square(): return helper()
        @cache
        def other(): ...
        def helper(): ...
        def main(name): return KNOWN[name]
    """
    write_module(house, "entry", text)
    assert reached(house) == {"entry:KNOWN", "entry:", "entry:register", "entry:helper"}


def test_what_a_base_class_may_register_counts(house: Path) -> None:
    text = """
        from house.io import write
        class Base:
            def __init_subclass__(cls): KNOWN.append(cls)
        class Part(Base):
            def run(self): return write()
        KNOWN = []
        def main(): return KNOWN
    """
    write_module(house, "entry", text)
    assert reached(house) == {"entry:KNOWN", "entry:", "entry:Base", "io:write"}


def test_a_choice_by_name_is_not_followed(house: Path) -> None:
    write_module(house, "entry", 'READ = "house.io:read"\ndef main(): return READ')
    assert reached(house) == {"entry:READ"}


def test_what_is_aside_is_neither_counted_nor_followed(house: Path) -> None:
    write_module(house, "entry", "from house.io import read, write\ndef main(): return read(), write()")
    assert reached(house, aside=["house.io:read"]) == {"io:write"}
    assert reached(house, aside=["house.io"]) == set()


def test_what_a_module_that_is_aside_imports_is_reached_by_others(house: Path) -> None:
    write_module(house, "entry", "from house.io import read\nfrom house.spread import spread\ndef main(): read, spread")
    write_module(house, "spread", "from house.io import read\ndef spread(): read()")
    assert reached(house, aside=["house.spread"]) == {"io:read", "grid:SPACING"}


def test_a_script_outside_the_package_names_its_entries(house: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import numpy\nfrom house.room import Window, Gate\nfrom house import io\n")
    assert SourceTree(house).imported_by(script) == ["house.room:Gate", "house.room:Window", "house:io"]


def test_an_unknown_module_or_name_is_an_error_that_names_it(house: Path) -> None:
    write_module(house, "entry", "import house.cellar\ndef main(): ...")
    with pytest.raises(ModuleNotFoundError, match=r"house\.cellar: expected a module"):
        reached(house)
    with pytest.raises(ModuleNotFoundError, match="numpy"):
        SourceTree(house).closure(["numpy:zeros"])
    with pytest.raises(AttributeError, match=r"house\.io:close: expected a name of module"):
        SourceTree(house).closure(["house.io:close"])


def test_reading_runs_nothing(house: Path) -> None:
    write_module(house, "grid", "raise SystemExit('imported')\nSPACING = 1")
    write_module(house, "entry", "from house.grid import SPACING\ndef main(): return SPACING")
    assert reached(house) == {"grid:SPACING", "grid:"}
