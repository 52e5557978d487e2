"""An encrypted bundle opens with its own secret alone, and not at all after one byte changed."""

import numpy as np
import pytest

from lungpipe.bundles import BundleError, Secret, find_secret, read_bundle, write_bundle
from lungpipe.bundles.encryption import HEADER_BYTES, decrypt, encrypt

KEY = "00112233445566778899aabbccddeeff" * 2


@pytest.fixture
def key_file(tmp_path):
    (tmp_path / "key.txt").write_text(f"{KEY}\n")
    return tmp_path / "key.txt"


def test_a_key_in_a_file_or_in_the_environment_opens_the_bundle(tmp_path, manifest, files, key_file, monkeypatch):
    path = tmp_path / "a.lungpipe"
    write_bundle(path, manifest, files, secret=find_secret(key_file))
    assert b"detector" not in path.read_bytes()
    bundle = read_bundle(path, key_file)
    assert (bundle.files, bundle.is_encrypted) == (files, True)
    with pytest.raises(BundleError, match="expected a key file, or LUNGPIPE_BUNDLE_KEY or LUNGPIPE_BUNDLE_PASSPHRASE"):
        read_bundle(path)
    monkeypatch.setenv("LUNGPIPE_BUNDLE_KEY", KEY.upper())
    assert read_bundle(path).files == files
    monkeypatch.setenv("LUNGPIPE_BUNDLE_KEY", "f" * 64)
    with pytest.raises(BundleError, match=r"a\.lungpipe: expected the key .* found another key or changed bytes"):
        read_bundle(path)


def test_a_passphrase_opens_the_bundle(tmp_path, manifest, files, monkeypatch):
    path = tmp_path / "a.lungpipe"
    monkeypatch.setenv("LUNGPIPE_BUNDLE_PASSPHRASE", "four words in a row")
    write_bundle(path, manifest, files, secret=find_secret())
    assert read_bundle(path).files == files
    monkeypatch.setenv("LUNGPIPE_BUNDLE_PASSPHRASE", "five words in a row")
    with pytest.raises(BundleError, match="found another passphrase or changed bytes"):
        read_bundle(path)
    monkeypatch.delenv("LUNGPIPE_BUNDLE_PASSPHRASE")
    monkeypatch.setenv("LUNGPIPE_BUNDLE_KEY", KEY)
    with pytest.raises(BundleError, match="expected a passphrase, with which the bundle was encrypted, found a key"):
        read_bundle(path)


def test_every_byte_is_authenticated():
    secret = Secret("key", bytes.fromhex(KEY))
    content = encrypt(b"content " * 5, secret)
    assert decrypt(content, secret, "a") == b"content " * 5
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(np.random.default_rng(place).integers(8))
        with pytest.raises(BundleError, match="a: expected"):
            decrypt(bytes(damaged), secret, "a")
    for size in (len(content) - 1, HEADER_BYTES, 22):
        with pytest.raises(BundleError, match="a: expected"):
            decrypt(content[:size], secret, "a")


def test_salt_and_nonce_are_new_each_time():
    secret = Secret("key", bytes.fromhex(KEY))
    assert len({encrypt(b"same", secret) for _ in range(20)}) == 20


def test_wrong_secrets_are_named_without_their_text(key_file, monkeypatch):
    key_file.write_text("my secret")
    with pytest.raises(BundleError, match="expected a key of 64 hex digits") as caught:
        find_secret(key_file)
    assert "my secret" not in str(caught.value)
    assert "secret" not in repr(Secret("passphrase", b"secret"))
    key_file.write_bytes(b"0" * 5000)
    with pytest.raises(BundleError, match="found a large file"):
        find_secret(key_file)
    monkeypatch.setenv("LUNGPIPE_BUNDLE_PASSPHRASE", "short")
    with pytest.raises(BundleError, match="expected at least 12 characters, found 5"):
        find_secret()
    monkeypatch.setenv("LUNGPIPE_BUNDLE_KEY", KEY)
    with pytest.raises(BundleError, match=r"expected one of .*, found both"):
        find_secret()
