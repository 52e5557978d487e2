"""Record of the files that a fetch wrote, so that complete files are skipped and other files are never touched."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from lungpipe.download.connection import FetchError
from lungpipe.download.transfer import RemoteFile
from lungpipe.tables import write_json
from lungpipe.tables.json_input import parse_json

LEDGER_FILE = ".fetched.json"
LOCK_FILE = ".fetching.lock"


class Ledger:
    """The files unpacked from every remote file, with their sizes; thread-safe."""

    def __init__(self, dest: Path) -> None:
        self.dest, self._path, self._lock = dest, dest / LEDGER_FILE, Lock()
        self._entries: dict[str, dict[str, object]] = {}
        if self._path.exists():
            try:
                self._entries = _entries_of(parse_json(self._path.read_text(encoding="utf-8")))
            except (TypeError, ValueError) as error:
                expected = "JSON with the files that were fetched"
                raise FetchError(f"{self._path}: expected {expected}, found {error}; delete it to start anew") from None

    def is_complete(self, file: RemoteFile) -> bool:
        """Return whether all files unpacked from `file`, in this version, exist with their sizes."""
        entry = self._entries.get(file.name, {})
        return entry.get("md5") == file.md5 and all(
            (self.dest / name).is_file() and (self.dest / name).stat().st_size == size
            for name, size in self._files(file.name).items()
        )

    def knows(self, path: Path) -> bool:
        """Return whether `path`, below the folder, was written by a fetch."""
        name = path.relative_to(self.dest).as_posix()
        files = [known for remote in self._entries for known in self._files(remote)]
        return any(known == name or known.startswith(f"{name}/") for known in files)

    def add(self, file: RemoteFile, files: dict[str, int]) -> None:
        """Record the files unpacked from `file`: sizes by path relative to the folder."""
        with self._lock:
            self._entries[file.name] = {"md5": file.md5, "files": files}
            write_json(self._path, self._entries)

    def _files(self, name: str) -> dict[str, int]:
        files = self._entries.get(name, {}).get("files", {})
        return files if isinstance(files, dict) else {}


def _entries_of(content: object) -> dict[str, dict[str, object]]:
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise TypeError("JSON of another form")
    return content


@contextmanager
def sole_use(dest: Path) -> Iterator[None]:
    """Lock the folder for this process; raises FetchError if another process is fetching into it."""
    with (dest / LOCK_FILE).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FetchError(f"{dest}: expected this download alone, found another one at work in it") from None
        yield
