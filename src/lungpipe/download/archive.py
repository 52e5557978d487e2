"""Unpack a downloaded archive that is not trusted: every name is checked, and folders are moved into place complete."""

import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lungpipe.download.connection import FetchError
from lungpipe.download.decompress import copy_member
from lungpipe.download.space import check_space
from lungpipe.download.watch import Watch

ENCRYPTED = 0x1
Note = Callable[[dict[str, int]], None]
"""called with the sizes of all files by relative name, once they are unpacked and before they move into their place"""
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive and the path that it gets, relative to the folder it is unpacked into."""

    info: zipfile.ZipInfo
    path: PurePosixPath


def list_members(archive: zipfile.ZipFile, path: Path) -> list[Member]:
    """Return the files of an archive, without folders and hidden files of file managers.

    Raises:
        FetchError: a name that leads out of the folder, a link or device, an encrypted file, or one name twice.
    """
    members = []
    for info in archive.infolist():
        name = _checked_name(info, path)
        if not info.is_dir() and not any(part in _LITTER for part in name.parts):
            members.append(Member(info, name))
    names = [str(member.path).casefold() for member in members]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice:
        raise FetchError(f"{path}: expected every name once, found {twice} more than once")
    return members


def unpack_folder(path: Path, folder: Path, watch: Watch, note: Note) -> None:
    """Unpack all of an archive beside the archive, then rename it to `folder`.

    A leading folder of the same name inside the archive is removed. Other files in `folder` are kept.

    Raises:
        FetchError: an archive that is broken or unsafe, or too little disk space.
    """
    with _opened(path) as archive:
        members = [_without_folder(member, folder.name) for member in list_members(archive, path)]
        if not members:
            raise FetchError(f"{path}: expected files, found none")
        with _unpacked(archive, path, members, watch) as temporary:
            note(_sizes(members))
            _settle(temporary, folder, members)


def unpack_tables(path: Path, targets: tuple[Path, ...], watch: Watch, note: Note) -> None:
    """Unpack the files with the targets' names from any folder of the archive, each to its target.

    Raises:
        FetchError: a missing table, two of one name, or an archive that is broken or unsafe.
    """
    with _opened(path) as archive:
        members = list_members(archive, path)
        chosen = []
        for name in [target.name for target in targets]:
            found = [member for member in members if member.path.name == name]
            if len({(member.info.CRC, member.info.file_size) for member in found}) != 1:
                places = ", ".join(str(member.path) for member in found) or "none"
                raise FetchError(f"{path}: expected one {name}, found {places}")
            chosen.append(Member(found[0].info, PurePosixPath(name)))
        with _unpacked(archive, path, chosen, watch) as temporary:
            note(_sizes(chosen))
            for target in targets:
                os.replace(temporary / target.name, target)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise FetchError(f"{path}: expected a zip archive, found {error}") from None


def _sizes(members: list[Member]) -> dict[str, int]:
    return {str(member.path): member.info.file_size for member in members}


@contextmanager
def _unpacked(archive: zipfile.ZipFile, path: Path, members: list[Member], watch: Watch) -> Iterator[Path]:
    """Yield a temporary folder beside the archive with the archive's files."""
    check_space(path.parent, sum(member.info.file_size for member in members), f"{path.name}, unpacked,")
    temporary = path.with_name(f".{path.stem}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for member in members:
            watch.raise_if_stopped()
            target = temporary / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_member(archive, member.info, target)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _settle(temporary: Path, folder: Path, members: list[Member]) -> None:
    if not folder.exists():
        os.replace(temporary, folder)
        return
    for member in members:
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary / member.path, target)


def _checked_name(info: zipfile.ZipInfo, path: Path) -> PurePosixPath:
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    unsafe = {
        "a relative name": name.startswith("/") or ":" in parts[0],
        "a name without '\\', control characters and empty parts": "\\" in name
        or "" in parts
        or any(ord(letter) < 32 for letter in name),
        "a name that stays inside": ".." in parts or "." in parts,
        "a plain file or folder": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "a file that is not encrypted": bool(info.flag_bits & ENCRYPTED),
    }
    for expected, is_unsafe in unsafe.items():
        if is_unsafe:
            raise FetchError(f"{path}: expected {expected}, found {name!r}; nothing was unpacked")
    return PurePosixPath(*parts)


def _without_folder(member: Member, name: str) -> Member:
    parts = member.path.parts
    return Member(member.info, PurePosixPath(*parts[1:])) if len(parts) > 1 and parts[0] == name else member
