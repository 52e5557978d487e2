"""Errors of the machine are told from errors of the data, through the errors of libraries and readers."""

import errno
import os

import pytest
import torch
from full_disk import file_limit
from safetensors import SafetensorError
from safetensors.torch import save_file

from lungpipe.tables import MachineError, is_of_machine
from lungpipe.tables.machine import find_errno


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EIO", "EACCES", "EPERM", "EROFS", "EMFILE", "EFBIG", "ENOMEM"])
def test_space_permission_and_input_output_are_of_the_machine(number):
    code = getattr(errno, number)
    assert is_of_machine(OSError(code, os.strerror(code), "scan.raw"))


@pytest.mark.parametrize("number", ["ENOENT", "EISDIR", "ENOTDIR", "ELOOP", "EINVAL"])
def test_missing_and_other_files_are_of_the_data_unless_they_are_written(number, tmp_path):
    code = getattr(errno, number)
    error = OSError(code, os.strerror(code), str(tmp_path / "out" / "table.parquet"))
    assert not is_of_machine(error)
    assert not is_of_machine(error, tmp_path / "other")
    assert not is_of_machine(error, tmp_path / "ou")
    assert is_of_machine(error, tmp_path / "out")


@pytest.mark.parametrize("error", [ValueError("expected 3, found 2"), KeyError("a"), RuntimeError("(os error x)")])
def test_other_errors_are_of_the_data(error):
    assert not is_of_machine(error)


@pytest.mark.parametrize("error", [MemoryError(), MachineError("x"), OSError(errno.EIO, "Input/output error")])
def test_an_error_behind_a_clearer_message_counts(error):
    def read():
        try:
            raise error
        except type(error):
            raise ValueError("scan.raw: expected readable voxels") from None

    with pytest.raises(ValueError, match="readable voxels") as caught:
        read()
    assert is_of_machine(caught.value)


def test_the_system_s_number_is_found_in_messages_of_libraries(tmp_path):
    text = "RESOURCE_EXHAUSTED: Failed to write 772484 bytes to file 6: No space left on device [os_error_code='28']"
    assert find_errno(ValueError(text)) == errno.ENOSPC
    assert is_of_machine(ValueError(text))
    with file_limit(1000), pytest.raises(SafetensorError) as caught:
        save_file({"a": torch.zeros(1000)}, tmp_path / "a.safetensors")
    assert find_errno(caught.value) == errno.EFBIG
