"""Signatures of a bundle's manifest by Ed25519: who made the bundle, for readers who have the maker's public key."""

import json
import os
from pathlib import Path

from lungpipe.bundles.archive import BundleError
from lungpipe.tables.json_input import parse_json

TRUSTED_VARIABLE = "LUNGPIPE_TRUSTED_KEY"
"""Names the file of a public key (PEM). Where it is set, only bundles that the key's owner signed are read."""


def sign(manifest: bytes, key_file: Path) -> bytes:
    """Return the content of signature.json for the bytes of a manifest.

    Raises:
        BundleError: no private key for Ed25519 (PEM, not encrypted).
        OSError: no such file.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = Path(key_file).read_bytes()
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{key_file}: expected a private key in PEM, found {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"{key_file}: expected a key for Ed25519, found {type(key).__name__}")
    facts = {"public_key": key.public_key().public_bytes_raw().hex(), "signature": key.sign(manifest).hex()}
    return (json.dumps({"algorithm": "Ed25519", **facts}, indent=2, sort_keys=True) + "\n").encode("utf-8")


def check_signature(manifest: bytes, signature: bytes | None, name: str) -> str | None:
    """Return the public key (hex) that signed a manifest, None for a manifest without a signature.

    `signature` is the content of signature.json; `name` stands for the bundle in messages.

    Raises:
        BundleError: a signature that does not fit; no signature by the key that LUNGPIPE_TRUSTED_KEY names.
    """
    trusted = _trusted_key()
    signed_by = None if signature is None else _verify(manifest, signature, name)
    if trusted is not None and signed_by != trusted:
        found = "found no signature" if signed_by is None else f"found one by {signed_by[:16]}"
        raise BundleError(f"{name}: expected a signature by the key of {TRUSTED_VARIABLE}, {trusted[:16]}, {found}")
    return signed_by


def _verify(manifest: bytes, signature: bytes, name: str) -> str:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        facts = parse_json(signature)
        public_key = str(facts["public_key"])
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            bytes.fromhex(facts["signature"]), manifest
        )
    except (InvalidSignature, LookupError, TypeError, ValueError):
        raise BundleError(f"{name}: expected a signature that fits the manifest, found another one") from None
    return public_key.lower()


def _trusted_key() -> str | None:
    named = os.environ.get(TRUSTED_VARIABLE)
    if not named:
        return None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(Path(named).read_bytes())
    except (ValueError, OSError) as error:
        raise BundleError(f"{TRUSTED_VARIABLE}: expected a file with a public key in PEM, found {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{TRUSTED_VARIABLE}: expected a key for Ed25519, found {type(key).__name__}")
    return key.public_bytes_raw().hex()
