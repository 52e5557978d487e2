"""The time left of a number of equal parts."""

import pytest

from lungpipe.time_left import time_left


@pytest.mark.parametrize(
    ("seconds", "num_done", "num_parts", "expected"),
    [
        (10.0, 2, 4, ", about 10 s left"),
        (60.0, 1, 4, ", about 3 min left"),
        (3600.0, 1, 3, ", about 2.0 h left"),
        (10.0, 4, 4, ""),
        (1.0, 9, 10, ""),
    ],
)
def test_the_rest_takes_as_long_for_each_part(seconds, num_done, num_parts, expected):
    assert time_left(seconds, num_done, num_parts) == expected
