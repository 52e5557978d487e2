"""Whatever imports whatever: what is followed is what can be reached, and only code changes a digest."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lungpipe.services.sources import SourceTree

MODULES = ("a", "b", "c", "room.d", "room.e", "room.f")
FORMS = (
    "import house.{module}",
    "import house.{module} as other",
    "from house.{module} import VALUE",
    "def late():\n    from house.{module} import VALUE\n    return VALUE",
)
graphs = st.dictionaries(
    st.sampled_from(MODULES), st.lists(st.tuples(st.sampled_from(MODULES), st.sampled_from(FORMS)), max_size=3)
)


def write(root: Path, module: str, text: str) -> None:
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def reachable(graph: dict[str, list[tuple[str, str]]], start: str) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(target for target, _ in graph.get(module, []))
    return found


@given(graphs, st.sampled_from(MODULES))
@settings(max_examples=60, deadline=None)
def test_what_is_followed_is_what_can_be_reached(graph: dict[str, list[tuple[str, str]]], start: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "house"
        for package in ("__init__", "room.__init__"):
            write(root, package, '"""A package."""\n')
        for module in MODULES:
            lines = [form.format(module=target) for target, form in graph.get(module, [])]
            write(root, module, "\n".join(["VALUE = 1", *lines, ""]))
        found = SourceTree(root).closure((f"house.{start}",))
    assert {module.removeprefix("house.") for module in found} == reachable(graph, start)


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'\\"), max_size=30)


def digest_of(text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "house"
        write(root, "entry", text)
        return SourceTree(root).digest("house.entry")


@given(printable, printable, st.integers(0, 3), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_no_comment_docstring_or_blank_line_changes_a_digest(
    docstring: str, comment: str, blanks: int, limit: int
) -> None:
    bare = f"def decide(value):\n    return value > {limit}\n"
    dressed = (
        f'"""{docstring}"""\n# {comment}\ndef decide(value):\n    """{docstring}"""\n'
        + "\n" * blanks
        + f"    return value > {limit}  # {comment}\n"
    )
    assert digest_of(bare) == digest_of(dressed)


@given(st.integers(), st.integers())
@settings(max_examples=60, deadline=None)
def test_another_number_is_another_digest(first: int, second: int) -> None:
    assert (digest_of(f"LIMIT = {first}\n") == digest_of(f"LIMIT = {second}\n")) == (first == second)
