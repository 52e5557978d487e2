"""Keep identifiers of patients out of logs, pages and names of files."""

import hashlib
import re
from pathlib import Path

_UID = re.compile(r"(?<![\w.])\d+(?:\.\d+){4,}(?![\w.])")


def digest_of_name(name: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a name: stands for a scan in names of files."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:12]


def without_identifiers(text: str, source: Path | str | None = None) -> str:
    """Return a message without UIDs, and with INPUT in place of the path of its scan.

    Folders are often named by patients. Numbers of five parts or more, joined by dots, count as UIDs.
    """
    if source is not None:
        text = text.replace(str(source), "INPUT")
    return _UID.sub(lambda match: f"UID-{digest_of_name(match[0])}", text)
