"""Files that were edited after they were written are refused by name."""

import pytest

from lungpipe.tables import DigestError, check_digests, file_sha256, write_digests

NAMES = ("evaluation.json", "submission.csv")


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / name).write_text(f"content of {name}")
    write_digests([tmp_path / name for name in NAMES], tmp_path)
    return tmp_path


def test_unchanged_files_pass_also_in_another_place(folder, tmp_path_factory):
    check_digests(folder, NAMES)
    moved = folder.rename(tmp_path_factory.mktemp("moved") / "evaluation")
    check_digests(moved, NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_edited_file_is_named(folder, name):
    (folder / name).write_text(f"Content of {name}")
    with pytest.raises(
        DigestError, match=rf"{name}: expected the content that was written with it .*, found an edited"
    ):
        check_digests(folder, NAMES)


def test_an_edited_file_that_nobody_asks_for_is_named_too(folder):
    (folder / "submission.csv").write_text("edited")
    with pytest.raises(DigestError, match=r"submission\.csv: expected the content"):
        check_digests(folder, ["evaluation.json"])


def test_a_file_without_a_digest_is_named(folder):
    (folder / "more.csv").write_text("a,b\n")
    with pytest.raises(DigestError, match=r"more\.csv: expected the content"):
        check_digests(folder, [*NAMES, "more.csv"])


@pytest.mark.parametrize("content", ["", "[1]", "{", "7"])
def test_damaged_digests_are_named(folder, content):
    (folder / "digests.json").write_text(content)
    with pytest.raises(DigestError, match=r"digests\.json: expected the digests of the files beside it"):
        check_digests(folder, NAMES)


def test_a_missing_file_is_named(folder):
    (folder / NAMES[0]).unlink()
    with pytest.raises(FileNotFoundError, match=NAMES[0]):
        check_digests(folder, NAMES)


def test_the_sha256_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == expected
