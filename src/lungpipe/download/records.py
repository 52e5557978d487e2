"""Read the files of the public records (names, sizes, checksums, addresses) from Zenodo's API."""

import http.client
import re
from typing import Any

from lungpipe.download.connection import FetchError, check_url, open_url
from lungpipe.download.transfer import RemoteFile, RetryPolicy, retrying
from lungpipe.download.watch import Watch
from lungpipe.tables.json_input import parse_json

RECORDS = ("3723295", "4121926")
"""LUNA16 part 1 (subsets 0 to 6, the tables and the lung masks) and part 2 (subsets 7 to 9)"""
FIRST_SUBSET_OF_PART_2 = 7
MAX_RECORD_BYTES = 10_000_000


def records_of(subsets: tuple[int, ...]) -> tuple[str, ...]:
    """Return the records with the tables, the lung masks and these subsets."""
    return RECORDS if any(subset >= FIRST_SUBSET_OF_PART_2 for subset in subsets) else RECORDS[:1]


def read_record(source: str, record: str, policy: RetryPolicy, watch: Watch) -> dict[str, RemoteFile]:
    """Return the files of a record by name.

    Raises:
        FetchError: no answer, or an answer that is not a Zenodo record.
    """
    url = f"{source.rstrip('/')}/{record}"

    def read() -> bytes:
        with open_url(url, {"Accept": "application/json"}) as response:
            content: bytes = response.read(MAX_RECORD_BYTES + 1)
            if response.length:
                # read(n) raises no error for a body that ends early
                raise http.client.IncompleteRead(content, response.length)
            return content

    content = retrying(read, url, policy, watch)
    try:
        entries = parse_json(content)["files"]
        files = [_remote_file(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(f"{url}: expected a record with files (key, size, checksum, links), found {error!r}") from None
    return {file.name: file for file in files}


def _remote_file(entry: dict[str, Any]) -> RemoteFile:
    name, size, checksum = entry["key"], entry["size"], entry["checksum"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"{name}: size {size}")
    digits = re.fullmatch(r"md5:([0-9a-fA-F]{32})", checksum)
    if not digits:
        raise ValueError(f"{name}: checksum {checksum}")
    return RemoteFile(name, check_url(entry["links"]["self"]), size, digits[1].lower())
