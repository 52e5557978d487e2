"""The documentation site: built without a warning, complete, and without anything that is loaded from elsewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

BUILT_IN = {"index.html": "README.md", "contributing.html": "CONTRIBUTING.md"}
LOADING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Read(HTMLParser):
    """Tags of a page: ids, links, what the page loads, and how often each tag is in its article."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.counts: dict[str, int] = {}
        self._depth = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("id"):
            self.ids.add(str(named["id"]))
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if tag in LOADING and named.get(LOADING[tag]) and named.get("rel") != "canonical":
            self.loaded.append(str(named[LOADING[tag]]))
        self._depth += tag == "article"
        if self._depth:
            self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "article"


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Read]:
    return {str(path.relative_to(site)): Read(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_the_repository_is_on_the_site_and_in_its_navigation(root: Path, pages: dict[str, Read]) -> None:
    documents = sorted((root / "docs").rglob("*.md"))
    expected = {str(path.relative_to(root / "docs").with_suffix(".html")) for path in documents} | set(BUILT_IN)
    assert expected <= set(pages)
    listed = {os.path.normpath(link.split("#")[0]) for link in pages["index.html"].links}
    assert expected - listed - {"index.html"} == set(), "mkdocs.yml: expected these pages in `nav`"


def test_nothing_is_loaded_from_elsewhere(pages: dict[str, Read]) -> None:
    loaded = {place for page in pages.values() for place in page.loaded}
    assert any(place.endswith(".js") for place in loaded)
    assert any(place.endswith(".png") for place in loaded)
    assert {place for place in loaded if re.match(r"\w+:|//", place) and not place.startswith("data:")} == set()


def test_no_page_has_a_diagram_whose_program_would_be_downloaded(site: Path) -> None:
    assert [path.name for path in site.rglob("*.html") if 'class="mermaid"' in path.read_text()] == []


def test_every_link_leads_to_a_file_and_an_anchor(site: Path, pages: dict[str, Read]) -> None:
    broken = []
    for name, page in pages.items():
        if name == "404.html":
            continue
        for link in page.links + page.loaded:
            path, _, anchor = link.partition("#")
            if re.match(r"\w+:", link):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            target = f"{target}/index.html" if (site / target).is_dir() else target
            is_found = (site / target).is_file()
            if not is_found or (anchor and target in pages and anchor not in pages[target].ids | {"__skip"}):
                broken.append(f"{name}: {link}")
    assert broken == []


def counted(text: str) -> dict[str, int]:
    """Lists, tables and code blocks as CommonMark, which repositories show, sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    names = {"list_item_open": "li", "table_open": "table", "fence": "pre", "code_block": "pre"}
    names |= {"bullet_list_open": "ul", "ordered_list_open": "ol"}
    found = dict.fromkeys(names.values(), 0)
    for token in tokens:
        if token.type in names:
            found[names[token.type]] += 1
    return found


def test_lists_tables_and_code_are_the_same_on_the_site_and_in_the_repository(
    root: Path, pages: dict[str, Read]
) -> None:
    docs = root / "docs"
    sources = {str(path.relative_to(docs).with_suffix(".html")): path for path in docs.rglob("*.md")}
    sources |= {name: root / source for name, source in BUILT_IN.items()}
    different = {}
    for name, source in sources.items():
        expected = counted(source.read_text())
        found = {tag: pages[name].counts.get(tag, 0) for tag in expected}
        if found != expected:
            different[name] = (found, expected)
    assert different == {}, "expected a blank line before a list, and nested lists indented by four blanks"


def load(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / "docs" / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("generator", "name"), [("command_reference", "cli.md"), ("python_reference", "python_reference.md")]
)
def test_a_reference_is_up_to_date(root: Path, generator: str, name: str) -> None:
    assert (root / "docs" / name).read_text() == load(root, generator).page(), f"docs/{name}: run `make generate`"


def test_a_changed_link_of_the_repository_leads_to_the_page_of_the_site(pages: dict[str, Read]) -> None:
    assert "model_card.html" in pages["predict.html"].links
    assert "luna16.html#what-it-takes" in pages["index.html"].links
    assert "decisions/index.html" in pages["index.html"].links


def test_docstrings_become_lists_and_long_heads_one_argument_a_line(root: Path) -> None:
    page = load(root, "python_reference").page()
    assert "- `ValueError`: a threshold outside 0 to 1." in page
    assert "    threshold: float = DEFAULT_THRESHOLD,\n" in page
    assert "- `center_zyx_mm`: world position, LPS mm\n" in page
