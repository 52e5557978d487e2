"""Write and read a bundle: archive, manifest, and where asked for encryption and signature."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lungpipe.bundles.archive import BundleError, pack, unpack
from lungpipe.bundles.encryption import Secret, decrypt, encrypt, find_secret, is_encrypted
from lungpipe.bundles.manifest import MANIFEST_FILE, SIGNATURE_FILE, FileFacts, Manifest
from lungpipe.bundles.signing import check_signature, sign
from lungpipe.tables import require_regular, write_bytes

SUFFIX = ".lungpipe"
MAX_BYTES = 2**31
"""Largest bundle that is read: it is read into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle in memory: manifest, files by name, the public key (hex) that signed, and whether it was encrypted."""

    manifest: Manifest
    files: Mapping[str, bytes]
    signed_by: str | None
    is_encrypted: bool


def is_bundle(path: Path | str) -> bool:
    """Return whether a path names a bundle: by its ending `.lungpipe`."""
    return os.fspath(path).endswith(SUFFIX) and not Path(path).is_dir()


def file_facts(files: Mapping[str, bytes]) -> dict[str, FileFacts]:
    """Return the facts of files that a manifest lists."""
    return {
        name: FileFacts(sha256=hashlib.sha256(content).hexdigest(), num_bytes=len(content))
        for name, content in files.items()
    }


def write_bundle(
    path: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    secret: Secret | None = None,
    sign_with: Path | None = None,
) -> None:
    """Write a bundle whole; with a secret encrypted, with the file of a private key signed.

    Raises:
        BundleError: files that are not those of the manifest, a path without the ending `.lungpipe`, no private key.
        WriteError: the disk does not take the file.
    """
    if not is_bundle(path):
        raise BundleError(f"{path}: expected a file name that ends in {SUFFIX}, found another")
    if file_facts(files) != manifest.files:
        raise BundleError(f"{path}: expected the files of the manifest, found other ones")
    text = (manifest.model_dump_json(indent=2) + "\n").encode("utf-8")
    packed = {**files, MANIFEST_FILE: text}
    if sign_with is not None:
        packed[SIGNATURE_FILE] = sign(text, sign_with)
    content = pack(packed)
    write_bytes(Path(path), content if secret is None else encrypt(content, secret))


def read_bundle(path: Path, key_file: Path | None = None) -> Bundle:
    """Read and check a bundle; nothing of it is run or written to disk.

    The key of an encrypted bundle is that of `find_secret`.

    Raises:
        BundleError: no bundle, one that was changed, another key, a manifest of another format, files that differ from
            it, or a signature that does not fit or is missing (see `check_signature`).
        OSError: no such file.
    """
    name = str(path)
    if (size := require_regular(path).st_size) > MAX_BYTES:
        raise BundleError(f"{name}: expected a bundle of at most {MAX_BYTES} bytes, found {size}")
    content = Path(path).read_bytes()
    was_encrypted = is_encrypted(content)
    if was_encrypted:
        content = decrypt(content, find_secret(key_file), name)
    files = unpack(content, name)
    if MANIFEST_FILE not in files:
        raise BundleError(f"{name}: expected {MANIFEST_FILE} in it, found none")
    text, signature = files.pop(MANIFEST_FILE), files.pop(SIGNATURE_FILE, None)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(f"{name}: {MANIFEST_FILE}: {place}: {first['msg']}, found {first['input']!r:.80}") from None
    signed_by = check_signature(text, signature, name)
    _refuse_other_files(files, manifest, name)
    return Bundle(manifest, files, signed_by, was_encrypted)


def _refuse_other_files(files: Mapping[str, bytes], manifest: Manifest, name: str) -> None:
    found = file_facts(files)
    for one in sorted({*found, *manifest.files}):
        if found.get(one) != manifest.files.get(one):
            raise BundleError(f"{name}: {one}: expected the file that the manifest lists, found another or none")
    for role, facts in manifest.models.items():
        for file in (facts.file, *(program.file for program in facts.programs.values())):
            if file not in files:
                raise BundleError(f"{name}: {role}: expected the file {file}, found none")
