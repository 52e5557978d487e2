"""Encryption of a bundle: AES-256-GCM, with a key or with a passphrase through scrypt.

Layout: magic, one byte for the kind of the secret, salt, nonce, ciphertext with tag. All bytes before the ciphertext
are authenticated with it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lungpipe.bundles.archive import BundleError
from lungpipe.tables import require_regular

MAGIC = b"LUNGPIPE-AES256GCM-1\n"
KINDS: Mapping[bytes, Literal["key", "passphrase"]] = {b"K": "key", b"P": "passphrase"}
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
HEADER_BYTES = len(MAGIC) + 1 + SALT_BYTES + NONCE_BYTES
SCRYPT = {"n": 2**17, "r": 8, "p": 1}
"""Cost of a passphrase: 128 MiB and about half a second. Fixed by the format, so that no file can ask for more."""
KEY_VARIABLE, PASSPHRASE_VARIABLE = "LUNGPIPE_BUNDLE_KEY", "LUNGPIPE_BUNDLE_PASSPHRASE"
MIN_PASSPHRASE = 12
MAX_KEY_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Secret:
    """A key of 32 bytes, or a passphrase in UTF-8; its text never appears in a message."""

    kind: Literal["key", "passphrase"]
    value: bytes = field(repr=False)


def find_secret(key_file: Path | None = None) -> Secret:
    """Return the key in a file (64 hex digits), else that of the environment.

    The environment has a key (64 hex digits) in LUNGPIPE_BUNDLE_KEY or a passphrase in LUNGPIPE_BUNDLE_PASSPHRASE.

    Raises:
        BundleError: no secret, two secrets, a key that is not 64 hex digits, a short passphrase.
        OSError: a file that cannot be read.
    """
    if key_file is not None:
        if require_regular(key_file).st_size > MAX_KEY_FILE_BYTES:
            raise BundleError(f"{key_file}: expected a key (64 hex digits), found a large file")
        return _key(key_file.read_bytes().decode("utf-8", errors="replace"), str(key_file))
    key, passphrase = (os.environ.get(name) for name in (KEY_VARIABLE, PASSPHRASE_VARIABLE))
    if key and passphrase:
        raise BundleError(f"bundle: expected one of {KEY_VARIABLE} and {PASSPHRASE_VARIABLE}, found both")
    if key:
        return _key(key, KEY_VARIABLE)
    if not passphrase:
        expected = f"a key file, or {KEY_VARIABLE} or {PASSPHRASE_VARIABLE} in the environment"
        raise BundleError(f"bundle: expected {expected} for an encrypted bundle, found none")
    if len(passphrase) < MIN_PASSPHRASE:
        expected = f"at least {MIN_PASSPHRASE} characters"
        raise BundleError(f"{PASSPHRASE_VARIABLE}: expected {expected}, found {len(passphrase)}")
    return Secret("passphrase", passphrase.encode("utf-8"))


def _key(text: str, name: str) -> Secret:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise BundleError(f"{name}: expected a key of 64 hex digits (openssl rand -hex 32), found another text")
    return Secret("key", bytes.fromhex(text.strip()))


def is_encrypted(content: bytes) -> bool:
    """Return whether these are the bytes of an encrypted bundle."""
    return content.startswith(MAGIC)


def encrypt(content: bytes, secret: Secret) -> bytes:
    """Return the encrypted content; salt and nonce are random, so equal content gives other bytes every time."""
    # the import takes time that plain models need not pay
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    kind = next(letter for letter, name in KINDS.items() if name == secret.kind)
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = MAGIC + kind + salt + nonce
    return header + AESGCM(_derive(secret, salt)).encrypt(nonce, content, header)


def decrypt(content: bytes, secret: Secret, name: str) -> bytes:
    """Return what `encrypt` was given; `name` stands for the bundle in messages.

    Raises:
        BundleError: another kind of secret than the bundle's, another key, or a byte that was changed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = content[:HEADER_BYTES]
    kind = KINDS.get(header[len(MAGIC) : len(MAGIC) + 1])
    if kind is None or len(content) < HEADER_BYTES + TAG_BYTES:
        raise BundleError(f"{name}: expected an encrypted bundle, found one that was changed or cut off")
    if kind != secret.kind:
        raise BundleError(f"{name}: expected a {kind}, with which the bundle was encrypted, found a {secret.kind}")
    salt, nonce = header[len(MAGIC) + 1 : -NONCE_BYTES], header[-NONCE_BYTES:]
    try:
        return AESGCM(_derive(secret, salt)).decrypt(nonce, content[HEADER_BYTES:], header)
    except InvalidTag:
        expected = f"the {kind} that encrypted the bundle, and its bytes unchanged"
        raise BundleError(f"{name}: expected {expected}, found another {kind} or changed bytes") from None


def _derive(secret: Secret, salt: bytes) -> bytes:
    if secret.kind == "key":
        return secret.value
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, **SCRYPT).derive(secret.value)
