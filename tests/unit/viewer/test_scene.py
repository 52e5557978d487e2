"""A scene is consistent, or refused."""

import numpy as np
import pytest
from viewer_scenes import make_scene

from lungpipe.viewer.scene import as_bytes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lungs": np.zeros((2, 2, 2), np.uint8)}, r"lungs: expected uint8 \(27, 61, 75\), found uint8 \(2, 2, 2\)"),
        ({"nodules": np.zeros((27, 61, 75), np.uint16)}, r"nodules: expected uint8 .*, found uint16"),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_scene(**changes)


def test_masks_are_those_that_are_given():
    assert set(make_scene().masks) == {"lungs", "nodules"}
    assert set(make_scene(lungs=None).masks) == {"nodules"}


def test_labels_beyond_a_byte_are_dropped():
    labels = np.array([0, 1, 255, 256, 40000], np.uint16)
    assert as_bytes(labels).tolist() == [0, 1, 255, 0, 0]
    assert as_bytes(labels).dtype == np.uint8
