"""The records as Zenodo's API serves them."""

import hashlib

import pytest

from lungpipe.download import FetchError
from lungpipe.download.records import read_record, records_of

PART_1, PART_2 = "3723295", "4121926"


def test_names_sizes_checksums_and_addresses(server, policy, watch):
    files = read_record(server.source + "/", PART_2, policy, watch)
    assert sorted(files) == ["subset7.zip", "subset8.zip", "subset9.zip"]
    content = server.files[PART_2]["subset8.zip"]
    assert files["subset8.zip"].num_bytes == len(content)
    assert files["subset8.zip"].md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert files["subset8.zip"].url == f"{server.source}/{PART_2}/files/subset8.zip/content"


def test_the_second_record_is_read_only_for_its_subsets():
    assert records_of(()) == records_of((0, 6)) == (PART_1,)
    assert records_of((0, 7)) == records_of((9,)) == (PART_1, PART_2)


def test_a_busy_server_and_a_cut_answer_are_asked_again(server, policy, watch):
    server.faults[PART_1] = [("status", 429), ("drop", 40)]
    assert "annotations.csv" in read_record(server.source, PART_1, policy, watch)
    assert len(watch.say) == 2


@pytest.mark.parametrize(
    "override",
    [
        {"size": "12"},
        {"size": -1},
        {"checksum": "sha256:00"},
        {"checksum": None},
        {"checksum": "md5:" + "0" * 31},
        {"links": {}},
        {"links": {"self": None}},
    ],
)
def test_an_entry_that_cannot_be_checked_is_refused(server, policy, watch, override):
    server.overrides["annotations.csv"] = override
    with pytest.raises(FetchError, match=r"/3723295: expected a record with files|expected an https address"):
        read_record(server.source, PART_1, policy, watch)


def test_a_file_that_lies_on_plain_http_is_refused(server, policy, watch):
    server.overrides["annotations.csv"] = {"links": {"self": "http://example.org/annotations.csv"}}
    with pytest.raises(FetchError, match=r"http://example\.org/annotations\.csv: expected an https"):
        read_record(server.source, PART_1, policy, watch)


@pytest.mark.parametrize("body", ["<html>maintenance</html>", "[]", "{}", '{"files": 3}', '{"files": [7]}'])
def test_an_answer_that_is_no_record_is_refused(server, policy, watch, body, monkeypatch):
    monkeypatch.setattr("json.dumps", lambda *_: body)
    with pytest.raises(FetchError, match="expected a record with files"):
        read_record(server.source, PART_1, policy, watch)


def test_an_unknown_record(server, policy, watch):
    with pytest.raises(FetchError, match="/999: the server answered 404"):
        read_record(server.source, "999", policy, watch)
