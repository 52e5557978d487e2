"""The lung mask against the embedded phantom's own lung labels, in a chest a third of an adult's."""

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.read import read_scan
from lungpipe.lungs.segment import segment_lungs
from lungpipe.phantom import write_phantom
from lungpipe.settings import PhantomSettings

LEFT_AND_RIGHT = {1: 3, 2: 4}
"""Our labels and LUNA16's."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom")
    write_phantom(root, PhantomSettings(scans_per_subset=1), 2)
    return root


@pytest.mark.parametrize("subset", [0, 1])
def test_dice_with_the_reference_lungs(root, subset):
    (files,) = list_scans(root, subset)
    scan = read_scan(files.header_path)
    labels = segment_lungs(scan.hu, scan.grid)
    image = SimpleITK.ReadImage(str(root / "seg-lungs-LUNA16" / files.header_path.name))
    reference = SimpleITK.GetArrayFromImage(image)
    for mine, theirs in LEFT_AND_RIGHT.items():
        both = ((labels == mine) & (reference == theirs)).sum()
        assert 2 * both / ((labels == mine).sum() + (reference == theirs).sum()) > 0.98
    airway = np.isin(reference, (0, 3, 4), invert=True)
    assert (labels[airway] > 0).mean() < 0.1
