"""Hooks of the documentation site: pages and files from outside docs/, links to them, and folders in the navigation.

The same Markdown is read on the repository's page and on the site. On the repository's page a link may lead to any file
of the repository. On the site, files that a page links to and that are outside docs/ are added as pages (`PAGES`) or as
plain files below `repository/`.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

DOCS = "docs"
MODEL = "src/lungpipe/shipped/lungpipe-luna16-crops/MODEL_CARD.md"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    MODEL: "model_card.md",
}
"""Pages of the repository outside docs/, with their names on the site."""
FOLDER = "repository"
"""Folder of the site for other files of the repository."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace a folder (`decisions/`) in the navigation by its pages, in the order of their names."""
    config.nav = [_expand(entry, Path(config.docs_dir)) for entry in config.nav or []]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of `PAGES`, a list of pages for each linked folder, and all other files that pages link to."""
    root = Path(config.docs_dir).parent
    for source, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(root / source)))
    pages = [file for file in files if file.is_documentation_page()]
    linked = {target for file in pages for target in _linked(file.content_string, _source(file.src_uri))}
    for target in sorted(linked - set(PAGES)):
        uri = _uri(target)
        if (root / target).is_dir() and uri.startswith(f"{FOLDER}/") is False:
            index = _index(root / target)
            files.append(File.generated(config, f"{uri}/index.md", content=index, inclusion=InclusionLevel.NOT_IN_NAV))
        elif (root / target).is_file() and files.get_file_from_path(uri) is None:
            files.append(File.generated(config, uri, abs_src_path=str(root / target)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links of the repository's page to the names that the same files have on the site."""
    source = _source(page.file.src_uri)
    folder = posixpath.dirname(page.file.src_uri)

    def rename(match: re.Match[str]) -> str:
        uri = _uri(_target(match[1], source))
        if (Path(config.docs_dir) / uri).is_dir():
            uri = f"{uri}/index.md"
        return posixpath.relpath(uri, folder or ".") + (match[2] or "")

    return LINK.sub(rename, markdown)


def _expand(entry: Any, docs: Path) -> Any:
    """Return an entry of the navigation with every folder in it replaced by the folder's pages."""
    if not isinstance(entry, dict):
        return entry
    [(title, value)] = entry.items()
    if isinstance(value, list):
        return {title: [_expand(each, docs) for each in value]}
    if value.endswith("/"):
        return {title: [path.relative_to(docs).as_posix() for path in sorted((docs / value).glob("*.md"))]}
    return entry


def _linked(text: str, source: str) -> Iterator[str]:
    """Yield the files of the repository that a page links to; `source` is the page's own path in the repository."""
    for match in LINK.finditer(CODE.sub("", text)):
        yield _target(match[1], source)


def _target(link: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _source(uri: str) -> str:
    """Return the path in the repository of a page of the site."""
    named = {name: source for source, name in PAGES.items()}
    return named.get(uri, f"{DOCS}/{uri}")


def _uri(target: str) -> str:
    """Return the name on the site of a file of the repository."""
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix(f"{DOCS}/") if target.startswith(f"{DOCS}/") else f"{FOLDER}/{target}"


def _index(folder: Path) -> str:
    """Return a page with a link to every page of a folder."""
    titles = {path.name: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for path in folder.glob("*.md")}
    lines = [f"- [{titles[name]}]({name})" for name in sorted(titles)]
    return "\n".join([f"# {folder.name.capitalize()}", "", *lines, ""])
