"""A signature shows who made a bundle; a reader who trusts one key reads no other bundles."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lungpipe.bundles import BundleError, read_bundle, write_bundle
from lungpipe.bundles.archive import pack
from lungpipe.bundles.signing import sign


def write_keys(folder, name):
    """Write a pair of keys; returns their files and the public key in hex."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public, key.public_key().public_bytes_raw().hex()


def test_a_signed_bundle_names_its_signer(tmp_path, manifest, files, monkeypatch):
    private, public, own = write_keys(tmp_path, "maker")
    _, other, _ = write_keys(tmp_path, "other")
    write_bundle(tmp_path / "a.lungpipe", manifest, files, sign_with=private)
    assert read_bundle(tmp_path / "a.lungpipe").signed_by == own
    monkeypatch.setenv("LUNGPIPE_TRUSTED_KEY", str(public))
    assert read_bundle(tmp_path / "a.lungpipe").signed_by == own
    monkeypatch.setenv("LUNGPIPE_TRUSTED_KEY", str(other))
    with pytest.raises(BundleError, match=rf"expected a signature by the key .* found one by {own[:16]}"):
        read_bundle(tmp_path / "a.lungpipe")


def test_a_reader_who_trusts_a_key_reads_nothing_unsigned(tmp_path, manifest, files, monkeypatch):
    _, public, _ = write_keys(tmp_path, "maker")
    write_bundle(tmp_path / "a.lungpipe", manifest, files)
    assert read_bundle(tmp_path / "a.lungpipe").signed_by is None
    monkeypatch.setenv("LUNGPIPE_TRUSTED_KEY", str(public))
    with pytest.raises(BundleError, match="found no signature"):
        read_bundle(tmp_path / "a.lungpipe")
    monkeypatch.setenv("LUNGPIPE_TRUSTED_KEY", str(tmp_path / "none.pem"))
    with pytest.raises(BundleError, match="LUNGPIPE_TRUSTED_KEY: expected a file with a public key"):
        read_bundle(tmp_path / "a.lungpipe")


def test_the_signature_of_another_manifest_is_refused(tmp_path, manifest, files):
    private, _, _ = write_keys(tmp_path, "maker")
    text = manifest.model_dump_json().encode()
    for signature in (sign(text.replace(b"small", b"large"), private), b"{}", b"[]", b"\xff"):
        (tmp_path / "a.lungpipe").write_bytes(pack({**files, "manifest.json": text, "signature.json": signature}))
        with pytest.raises(BundleError, match="expected a signature that fits the manifest"):
            read_bundle(tmp_path / "a.lungpipe")


def test_other_keys_are_refused(tmp_path, manifest, files):
    _, public, _ = write_keys(tmp_path, "maker")
    elliptic = generate_private_key(SECP256R1())
    (tmp_path / "ec.pem").write_bytes(elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for key, message in (
        (public, "expected a private key in PEM"),
        (tmp_path / "ec.pem", "expected a key for Ed25519"),
    ):
        with pytest.raises(BundleError, match=message):
            write_bundle(tmp_path / "a.lungpipe", manifest, files, sign_with=key)
    assert not (tmp_path / "a.lungpipe").exists()
