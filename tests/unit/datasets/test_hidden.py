"""What macOS and file managers add is hidden, wherever it is in a path."""

from pathlib import Path

import pytest

from lungpipe.datasets.hidden import is_hidden


@pytest.mark.parametrize("name", [".DS_Store", "._1.dcm", "a/.hidden/1.dcm", "__MACOSX/1.dcm", Path("a/__MACOSX")])
def test_added_files_are_hidden(name):
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["1.dcm", "a.b/1.2.3", "./a/1.dcm", "a/__macosx__/1.dcm", Path("1.2.840.1/x")])
def test_other_files_are_not(name):
    assert not is_hidden(name)
