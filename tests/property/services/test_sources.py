"""Whatever refers to whatever: what is followed is what can be reached, and only code changes a digest."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from written_package import digests, reached, write_module

PLACES = tuple((module, name) for module in ("a", "b", "room.c") for name in ("f", "g"))
FORMS = (
    "    import house.{module}\n    house.{module}.{name}()",
    "    import house.{module} as other\n    other.{name}()",
    "    from house.{module} import {name} as other\n    other()",
    "    from house.room import {shared} as other\n    other()",
    "    here_{shared}()",
    "    there.{module}.{name}()",
)
"""How a function calls another: `there` is the package, imported by the module, `here_...` a name that it imports."""
graphs = st.dictionaries(
    st.sampled_from(PLACES), st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(FORMS)), max_size=3)
)


def shared(module: str, name: str) -> str:
    return f"{module.rpartition('.')[2]}_{name}"


def write_house(root: Path, graph: dict) -> None:
    write_module(root, "__init__", '"""A package."""')
    exports = [f"from house.{module} import {name} as {shared(module, name)}" for module, name in PLACES]
    write_module(root, "room.__init__", "\n".join(exports))
    for module in {module for module, _ in PLACES}:
        lines = ["import house as there", *(line.replace(" as ", " as here_") for line in exports)]
        for name in ("f", "g"):
            calls = graph.get((module, name), [])
            lines += [f"def {name}():", "    pass"]
            lines += [form.format(module=m, name=n, shared=shared(m, n)) for (m, n), form in calls]
        write_module(root, module, "\n".join(lines))


def reachable(graph: dict, start: tuple[str, str]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(target for target, _ in graph.get(place, []))
    return {":".join(place) for place in found}


@given(graphs, st.sampled_from(PLACES))
@settings(max_examples=60, deadline=None)
def test_what_is_followed_is_what_can_be_reached(graph: dict, start: tuple[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "house"
        write_house(root, graph)
        entry = ":".join(start)
        assert reached(root, entry) | {entry} == reachable(graph, start)


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'\\{}"), max_size=30)


def digest_of(text: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "house"
        write_module(root, "__init__", "")
        write_module(root, "entry", text)
        return digests(root)


@given(printable, printable, st.integers(0, 3), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_no_comment_docstring_message_or_blank_line_changes_a_digest(
    words: str, comment: str, blanks: int, limit: int
) -> None:
    bare = f"def main(value):\n    if value > {limit}:\n        raise ValueError('')\n"
    dressed = (
        f'"""{words}"""\n# {comment}\ndef main(value):\n    """{words}"""\n'
        + "\n" * blanks
        + f"    if value > {limit}:  # {comment}\n        raise ValueError(f'{words} {{value}}')\n"
    )
    assert digest_of(bare) == digest_of(dressed)


@given(st.integers(), st.integers())
@settings(max_examples=60, deadline=None)
def test_another_number_is_another_digest(first: int, second: int) -> None:
    assert (digest_of(f"main = {first}\n") == digest_of(f"main = {second}\n")) == (first == second)
