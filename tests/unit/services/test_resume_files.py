"""Resume files with flipped bits are removed before a training reads them."""

import errno
import random

import pytest
import torch

from lungpipe.services.resume_files import remove_damaged
from lungpipe.tables import IrregularFileError
from lungpipe.training.resume import load_resume, save_resume

STATE = {"weights": torch.arange(600.0), "step": 3}


@pytest.fixture
def resume_path(tmp_path):
    path = tmp_path / "detector_member0_resume.pt"
    save_resume(path, STATE, "abc")
    return path


def is_state(found):
    return set(found) == set(STATE) and found["step"] == 3 and torch.equal(found["weights"], STATE["weights"])


def test_whole_files_stay_and_nothing_is_said(resume_path):
    said = []
    remove_damaged([resume_path.parent, resume_path.parent / "none"], said.append)
    assert said == []
    assert is_state(load_resume(resume_path, "abc", said.append))


def test_no_flipped_bit_reaches_a_training(resume_path):
    whole, rng = resume_path.read_bytes(), random.Random(0)
    num_removed = 0
    for _ in range(300):
        content, said = bytearray(whole), []
        content[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        resume_path.write_bytes(content)
        remove_damaged([resume_path.parent], said.append)
        assert len(said) == (not resume_path.exists())
        num_removed += not resume_path.exists()
        found = load_resume(resume_path, "abc", said.append)
        # bits of headers that no reader needs change nothing
        assert found is None or is_state(found)
    assert num_removed > 200


def test_a_damaged_file_is_named_and_the_others_stay(resume_path):
    other = resume_path.with_name("scorer_member0_resume.pt")
    save_resume(other, STATE, "abc")
    content = bytearray(resume_path.read_bytes())
    content[content.index(STATE["weights"].numpy().tobytes()) + 100] ^= 1
    resume_path.write_bytes(content)
    said = []
    remove_damaged([resume_path.parent], said.append)
    assert (resume_path.exists(), other.exists()) == (False, True)
    assert len(said) == 1
    assert said[0].startswith(f"{resume_path}: expected a resume file as it was written, found ")
    assert said[0].endswith("/data/0 with another checksum; the training starts anew")


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 500])
def test_no_archive_is_removed(resume_path, content):
    resume_path.write_bytes(content)
    said = []
    remove_damaged([resume_path.parent], said.append)
    assert not resume_path.exists()
    assert len(said) == 1


def test_a_folder_with_the_name_of_a_resume_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "a_resume.pt").mkdir()
    with pytest.raises((IrregularFileError, IsADirectoryError), match=r"a_resume\.pt"):
        remove_damaged([tmp_path], print)


def test_an_error_of_the_machine_removes_nothing(resume_path, monkeypatch):
    def fail(self):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("zipfile.ZipFile.testzip", fail)
    with pytest.raises(OSError, match="Input/output"):
        remove_damaged([resume_path.parent], print)
    assert resume_path.exists()
