"""A bundle is read as it was written, or refused with one message."""

import io
import zipfile

import numpy as np
import pytest

from lungpipe.bundles import BundleError, is_bundle, read_bundle, write_bundle
from lungpipe.bundles.archive import pack


@pytest.fixture
def path(tmp_path, manifest, files):
    write_bundle(tmp_path / "small.lungpipe", manifest, files)
    return tmp_path / "small.lungpipe"


def test_a_bundle_survives_the_disk(path, manifest, files):
    bundle = read_bundle(path)
    assert bundle.manifest == manifest
    assert bundle.files == files
    assert (bundle.signed_by, bundle.is_encrypted) == (None, False)


def test_equal_content_gives_equal_bytes_in_an_ordinary_zip_file(path, tmp_path, manifest, files):
    write_bundle(tmp_path / "again.lungpipe", manifest, dict(reversed(files.items())))
    assert (tmp_path / "again.lungpipe").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["MODEL_CARD.md", "detector.safetensors", "manifest.json"]


def test_every_flipped_bit_is_refused(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, 8 * len(content), 200):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match=r"small\.lungpipe: expected .*, found"):
            read_bundle(path)


def test_cut_off_files_and_other_files_are_refused(path, tmp_path):
    content = path.read_bytes()
    for size in (len(content) - 1, len(content) // 2, 3):
        path.write_bytes(content[:size])
        with pytest.raises(BundleError, match="found a file that was changed or cut off"):
            read_bundle(path)
    path.write_bytes(b"")
    with pytest.raises(BundleError, match="expected a bundle that `lungpipe bundle` wrote, found another file"):
        read_bundle(path)
    with pytest.raises(FileNotFoundError):
        read_bundle(tmp_path / "none.lungpipe")


def sealed(path, files):
    """Write an archive with a right digest: what somebody makes who knows the format."""
    path.write_bytes(pack(files))
    return path


def test_archives_that_differ_from_their_manifest_are_refused(path, manifest, files):
    text = manifest.model_dump_json().encode()
    cases = {
        "expected manifest.json in it, found none": files,
        "evil.py: expected the file that the manifest lists": {**files, "manifest.json": text, "evil.py": b"1"},
        "detector.safetensors: expected the file that": {**files, "manifest.json": text, "detector.safetensors": b""},
        "MODEL_CARD.md: expected the file that": {"manifest.json": text, "detector.safetensors": b"weights"},
        "manifest.json: format_version: .* found 7": {"manifest.json": text.replace(b'_version":1', b'_version":7')},
        "manifest.json: : Invalid JSON": {"manifest.json": b"{"},
    }
    for message, content in cases.items():
        with pytest.raises(BundleError, match=message):
            read_bundle(sealed(path, content))


def test_compressed_and_repeated_entries_are_refused(path):
    import hashlib

    def write(names, compression):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as archive:
            archive.comment = b"0" * 64
            for name in names:
                archive.writestr(name, b"0" * 1000)
        content = stream.getvalue()[:-64]
        path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())

    write(["a"], zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="expected entries without compression"):
        read_bundle(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(["a", "a"], zipfile.ZIP_STORED)
    with pytest.raises(BundleError, match="expected every entry once, found one twice"):
        read_bundle(path)


def test_a_manifest_must_list_the_files_and_the_path_must_end_in_lungpipe(tmp_path, manifest, files):
    with pytest.raises(BundleError, match="expected the files of the manifest"):
        write_bundle(tmp_path / "a.lungpipe", manifest, {**files, "more": b""})
    with pytest.raises(BundleError, match=r"a\.zip: expected a file name that ends in \.lungpipe"):
        write_bundle(tmp_path / "a.zip", manifest, files)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.lungpipe").mkdir()
    assert not is_bundle(tmp_path / "folder.lungpipe")
    assert is_bundle(tmp_path / "b.lungpipe")
