"""Keep identifiers of patients out of logs, pages and names of files."""

import hashlib
import re
from pathlib import Path

_UID = re.compile(r"\d+(?:\.\d+){4,}")
"""Also within a word: files are often named by a UID with an ending."""


def digest_of_name(name: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a name: stands for a scan in names of files."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:12]


def without_identifiers(text: str, source: Path | str | None = None) -> str:
    """Return a message without UIDs, with INPUT in place of the path of its scan, and without the scan's folder.

    Folders are often named by patients, and a message may name a file beside the scan (the voxels of a header). Numbers
    of five parts or more, joined by dots, count as UIDs.
    """
    if source is not None:
        text = text.replace(str(source), "INPUT")
        if (folder := Path(source).parent).name:
            text = text.replace(f"{folder}/", "")
    return _UID.sub(lambda match: f"UID-{digest_of_name(match[0])}", text)
