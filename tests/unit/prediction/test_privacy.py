"""Messages without identifiers."""

from pathlib import Path

import pytest

from lungpipe.prediction.privacy import digest_of_name, without_identifiers

UID = f"UID-{digest_of_name('1.2.840.11.5')}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("series 1.3.6.1.4.1.14519 left out: CT", f"series UID-{digest_of_name('1.3.6.1.4.1.14519')} left out: CT"),
        ("expected 1.5 mm, found 2.25 (version 1.2.3)", "expected 1.5 mm, found 2.25 (version 1.2.3)"),
        ("1.2.840.11.5.raw: expected 9", f"{UID}.raw: expected 9"),
        ("found 1.2.840.11.5_mask, 1.2.840.11.5.", f"found {UID}_mask, {UID}."),
        ("scans/Doe^Jane/1.dcm: expected a slice", "INPUT/1.dcm: expected a slice"),
    ],
)
def test_uids_and_the_path_are_left_out(text, expected):
    assert without_identifiers(text, "scans/Doe^Jane") == expected


@pytest.mark.parametrize("folder", ["/data/Doe^Jane", "data/Doe^Jane"])
def test_a_file_beside_the_scan_is_named_without_their_folder(folder):
    text = f"{folder}/ct.raw: expected 960 bytes for {folder}/ct.mhd, found 12"
    expected = "ct.raw: expected 960 bytes for INPUT, found 12"
    assert without_identifiers(text, Path(folder, "ct.mhd")) == expected


@pytest.mark.parametrize("source", ["ct.mhd", "/ct.mhd"])
def test_a_scan_without_a_folder_of_its_own_leaves_the_rest_of_the_message(source):
    assert without_identifiers(f"{source}: expected mm/voxel", source) == "INPUT: expected mm/voxel"


def test_a_digest_is_short_and_the_same_for_the_same_name():
    assert digest_of_name("a") == digest_of_name("a") != digest_of_name("b")
    assert len(digest_of_name("Doe^Jane")) == 12
