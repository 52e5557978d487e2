"""One file from a real server over a bad line: resumed, repeated a bounded number of times, verified."""

import errno
import hashlib
from pathlib import Path

import pytest

from lungpipe.download import FetchError, RetryPolicy, Watch
from lungpipe.download.transfer import RemoteFile, download, matches

NAME = "subset0.zip"
RECORD = "3723295"


@pytest.fixture
def content(server):
    return server.files[RECORD][NAME]


@pytest.fixture
def remote(server, content):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return RemoteFile(NAME, f"{server.root}/api/records/{RECORD}/files/{NAME}/content", len(content), md5)


@pytest.fixture
def target(tmp_path):
    return tmp_path / NAME


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_good_line_takes_one_request(server, remote, target, policy, watch, content):
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None]
    assert names(target.parent) == [NAME]
    assert watch.say == []


def test_a_whole_file_is_not_asked_for_again(server, remote, target, policy, watch, content):
    target.write_bytes(content)
    download(remote, target, policy, watch)
    assert server.asked(NAME) == []


def test_drops_are_resumed_at_the_byte_they_happened(server, remote, target, policy, watch, content):
    server.faults[NAME] = [("drop", 12_000), ("drop", 500), ("drop", 11_000)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None, "bytes=12000-", "bytes=12500-", "bytes=23500-"]
    assert "ended after 12000 of" in watch.say[0]


def test_a_part_of_an_earlier_run_is_gone_on_with(server, remote, target, policy, watch, content):
    target.with_name(f"{NAME}.part").write_bytes(content[:777])
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == ["bytes=777-"]


def test_a_part_that_is_whole_needs_no_line(server, remote, target, policy, watch, content):
    target.with_name(f"{NAME}.part").write_bytes(content)
    download(remote, target, policy, watch)
    assert server.asked(NAME) == []
    assert target.read_bytes() == content


def test_a_part_that_is_too_long_starts_anew(server, remote, target, policy, watch, content):
    target.with_name(f"{NAME}.part").write_bytes(content + b"x")
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None]


def test_a_server_without_ranges_starts_from_the_beginning(server, remote, target, policy, watch, content):
    server.has_ranges = False
    server.faults[NAME] = [("drop", 9_000)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None, "bytes=9000-"]


def test_restarts_without_ranges_count_as_no_progress(server, remote, target, policy, watch):
    server.has_ranges = False
    server.faults[NAME] = [("drop", 9_000)] * 10
    with pytest.raises(FetchError, match=r"ended after 9000 of \d+ bytes, 3 times in a row"):
        download(remote, target, policy, watch)
    assert len(server.asked(NAME)) == 3


def test_a_range_other_than_asked_for_is_not_appended(server, remote, target, policy, watch, content):
    server.faults[NAME] = [("drop", 9_000), ("other range",)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None, "bytes=9000-", None]
    assert "expected bytes 9000-" in watch.say[1]


def test_progress_gives_new_attempts(server, remote, target, policy, watch, content):
    server.faults[NAME] = [fault for _ in range(3) for fault in (("drop", 10_001), ("status", 503))]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert len(server.asked(NAME)) == 7 > policy.num_attempts


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_passing_answers_are_repeated(server, remote, target, policy, watch, content, code):
    server.faults[NAME] = [("status", code), ("status", code)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert f"the server answered {code}" in watch.say[0]


def test_attempts_are_bounded_and_the_part_stays(server, remote, target, policy, watch, content):
    server.faults[NAME] = [("drop", 5_000), *[("status", 503)] * 10]
    with pytest.raises(FetchError, match=r"subset0\.zip: the server answered 503.*3 times in a row; try again later"):
        download(remote, target, policy, watch)
    assert len(server.asked(NAME)) == 3
    assert names(target.parent) == [f"{NAME}.part"]
    server.faults.clear()
    download(remote, target, policy, watch)
    assert server.asked(NAME)[-1] == "bytes=5000-"
    assert target.read_bytes() == content


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_lasting_answers_are_not_repeated(server, remote, target, policy, watch, code):
    server.faults[NAME] = [("status", code)]
    with pytest.raises(FetchError, match=rf"subset0\.zip: the server answered {code}"):
        download(remote, target, policy, watch)
    assert len(server.asked(NAME)) == 1


def test_a_wrong_byte_costs_one_more_download(server, remote, target, policy, watch, content):
    server.faults[NAME] = [("garble",)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == [None, None]
    assert "expected MD5" in watch.say[0]


def test_wrong_bytes_twice_are_refused_and_gone(server, remote, target, policy, watch):
    server.faults[NAME] = [("garble",), ("garble",)]
    with pytest.raises(FetchError, match=r"expected MD5 \w{32}, found another twice"):
        download(remote, target, policy, watch)
    assert names(target.parent) == []


def test_a_spoiled_part_is_found_out_and_replaced(server, remote, target, policy, watch, content):
    target.with_name(f"{NAME}.part").write_bytes(b"\0" * 1000)
    download(remote, target, policy, watch)
    assert target.read_bytes() == content
    assert server.asked(NAME) == ["bytes=1000-", None]


def test_a_file_that_is_shorter_than_the_record_says(server, remote, target, policy, watch):
    server.faults[NAME] = [("short", 20_000)] * 10
    longer = RemoteFile(NAME, remote.url, remote.num_bytes + 1, remote.md5)
    with pytest.raises(FetchError, match=rf"of {remote.num_bytes + 1} bytes, 3 times in a row"):
        download(longer, target, policy, watch)
    assert not target.exists()


def test_nothing_from_here_on_starts_anew(server, remote, target, policy, watch):
    longer = RemoteFile(NAME, remote.url, remote.num_bytes + 1, remote.md5)
    with pytest.raises(FetchError):
        download(longer, target, policy, watch)
    assert any(f"nothing from byte {remote.num_bytes} on" in line for line in watch.say)


def test_more_than_the_record_says_is_never_written(server, remote, target, policy, watch, content):
    server.faults[NAME] = [("long",)]
    download(remote, target, policy, watch)
    assert target.read_bytes() == content


def test_no_server_at_all(target, policy, watch):
    nowhere = RemoteFile(NAME, "http://127.0.0.1:9/none", 5, "0" * 32)
    with pytest.raises(FetchError, match=r"refused.*3 times in a row"):
        download(nowhere, target, policy, watch)


def test_a_folder_that_cannot_be_written_is_not_the_lines_fault(server, remote, tmp_path, policy, watch):
    with pytest.raises(FetchError, match="No such file or directory"):
        download(remote, tmp_path / "missing" / NAME, policy, watch)
    assert len(server.asked(NAME)) == 1


def test_progress_is_told_up_to_the_last_byte(server, remote, target, policy):
    told = []
    server.faults[NAME] = [("drop", 12_000)]
    download(remote, target, policy, Watch(progress=lambda *step: told.append(step)))
    assert told[0] == (NAME, 0, remote.num_bytes)
    assert (NAME, 12_000, remote.num_bytes) in told
    assert told[-1] == (NAME, remote.num_bytes, remote.num_bytes)


def test_a_stop_ends_the_transfer_and_keeps_what_came(server, remote, target, policy, watch):
    server.faults[NAME] = [("drop", 12_000)]

    def stop_at_first_trouble(line):
        watch.stop.set()

    with pytest.raises(FetchError, match="stopped"):
        download(remote, target, policy, Watch(say=stop_at_first_trouble, stop=watch.stop))
    assert target.with_name(f"{NAME}.part").stat().st_size == 12_000


def test_waits_grow_are_spread_and_have_an_end():
    policy = RetryPolicy(first_delay_s=1.0, longest_delay_s=10.0)
    for failures, (low, high) in {1: (0.75, 1.25), 2: (1.5, 2.5), 3: (3.0, 5.0), 9: (10.0, 10.0)}.items():
        waits = [policy.delay_s(failures, OSError()) for _ in range(50)]
        assert low <= min(waits) <= max(waits) <= high
    assert len({policy.delay_s(1, OSError()) for _ in range(50)}) > 40


@pytest.mark.parametrize(("asked", "at_least"), [("7", 7.0), ("3600", 10.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.75)])
def test_the_servers_wish_to_wait_is_heard_within_bounds(asked, at_least):
    from urllib.error import HTTPError

    busy = HTTPError("http://127.0.0.1", 429, "busy", {"Retry-After": asked}, None)
    assert at_least <= RetryPolicy(longest_delay_s=10.0).delay_s(1, busy) <= 10.0


def test_a_full_disk_is_not_repeated(server, remote, target, policy, watch, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lungpipe.download.transfer.os.fsync", full)
    with pytest.raises(FetchError, match="No space left"):
        download(remote, target, policy, watch)
    assert len(server.asked(NAME)) == 1


def test_matching_needs_size_and_content(remote, tmp_path, content):
    for wrong in (content[:-1], content[:-1] + b"\0" if content[-1] else content[:-1] + b"\1"):
        (tmp_path / "x").write_bytes(wrong)
        assert not matches(tmp_path / "x", remote)
    (tmp_path / "x").write_bytes(content)
    assert matches(tmp_path / "x", remote)
