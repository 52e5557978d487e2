"""Progress of a command: a bar in a terminal, lines elsewhere, nothing if quiet."""

import sys
import time

import pytest

from lungpipe.cli.progress import watching


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_lines_come_after_two_seconds_and_have_the_time_left(clock, capsys):
    with watching(is_quiet=False) as watch:
        for number in range(1, 11):
            clock[0] += 1.5
            watch.show("scans", number, 10)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "lungpipe: scans, 2 of 10 done, about 12 s left",
        "lungpipe: scans, 4 of 10 done, about 9 s left",
        "lungpipe: scans, 6 of 10 done, about 6 s left",
        "lungpipe: scans, 8 of 10 done, about 3 s left",
    ]


def test_nothing_done_yet_has_no_time_left(clock, capsys):
    with watching(is_quiet=False) as watch:
        clock[0] += 5
        watch.show("read", 0, 3)
    assert capsys.readouterr().err == "lungpipe: read, 0 of 3 done\n"


def test_a_command_of_less_than_two_seconds_shows_nothing(clock, capsys):
    with watching(is_quiet=False) as watch:
        clock[0] += 1.9
        watch.show("scans", 1, 2)
    assert capsys.readouterr().err == ""


def test_quiet_shows_nothing(clock, capsys):
    with watching(is_quiet=True) as watch:
        clock[0] += 60
        watch.show("scans", 1, 2)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_vanishes(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with watching(is_quiet=False) as watch:
        watch.show("bootstrap samples", 500, 1000)
        time.sleep(0.3)
    shown = capsys.readouterr()
    assert "bootstrap samples" in shown.err
    assert "500/1000" in shown.err
    assert shown.out == ""
