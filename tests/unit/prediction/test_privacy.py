"""Messages without identifiers."""

import pytest

from lungpipe.prediction.privacy import digest_of_name, without_identifiers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("series 1.3.6.1.4.1.14519 left out: CT", f"series UID-{digest_of_name('1.3.6.1.4.1.14519')} left out: CT"),
        ("expected 1.5 mm, found 2.25 (version 1.2.3)", "expected 1.5 mm, found 2.25 (version 1.2.3)"),
        ("scans/Doe^Jane/1.dcm: expected a slice", "INPUT/1.dcm: expected a slice"),
    ],
)
def test_uids_and_the_path_are_left_out(text, expected):
    assert without_identifiers(text, "scans/Doe^Jane") == expected


def test_a_digest_is_short_and_the_same_for_the_same_name():
    assert digest_of_name("a") == digest_of_name("a") != digest_of_name("b")
    assert len(digest_of_name("Doe^Jane")) == 12
