"""The lines that a job writes down."""

import json
import math
import os
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

import pytest

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.records import (
    Begin,
    NoRecord,
    Record,
    is_locked,
    pending_records,
    read_begin,
    read_lines,
)

BEGIN = Begin("0123456789abcdef", "train_detector", {"fold": 3}, {"a": "b"})


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_holds_its_beginning_what_was_logged_and_its_end(tmp_path):
    outbox = tmp_path / "outbox"
    (tmp_path / "froc.png").write_bytes(b"png")
    with Record(outbox, BEGIN) as record:
        record.log(40, {"loss": 0.5, "dice": 1})
        record.log(0, {"cpm": 0.9}, on_parent=True)
        record.log_artifact(tmp_path / "froc.png")
        record.log_tags({"data": "1"}, on_parent=True)
    assert read_begin(record.path) == BEGIN
    begin, *middle, end = lines(record.path)
    assert begin["plan"] == "0123456789abcdef"
    times = [line.pop("time") for line in (*middle, end) if "time" in line]
    assert times == sorted(times)
    assert times[0] >= BEGIN.time
    assert middle == [
        {"kind": "metrics", "step": 40, "values": {"loss": 0.5, "dice": 1.0}, "on_parent": False},
        {"kind": "metrics", "step": 0, "values": {"cpm": 0.9}, "on_parent": True},
        {"kind": "artifact", "path": "../froc.png", "on_parent": False},
        {"kind": "tags", "values": {"data": "1"}, "on_parent": True},
    ]
    assert end == {"kind": "end", "status": "FINISHED"}


def test_a_record_is_named_by_its_time_and_run_so_that_records_are_sent_in_their_order(tmp_path):
    for time, stage in ((20, "b"), (3, "c"), (100, "a")):
        Record(tmp_path, Begin("plan", stage, time=time)).end("FINISHED")
    assert [path.name.split(".")[1] for path in pending_records(tmp_path)] == ["c", "b", "a"]
    assert BEGIN.key == "train_detector/fold3"


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_error_ends_the_record_and_goes_on(tmp_path, error, status):
    with pytest.raises(error), Record(tmp_path, BEGIN) as record:
        raise error
    assert lines(record.path)[-1]["status"] == status


def test_numbers_that_are_none_come_back(tmp_path):
    with Record(tmp_path, BEGIN) as record:
        record.log(0, {"auc": math.nan, "loss": math.inf})
    read, _ = read_lines(record.path, 0)
    assert math.isnan(read[1]["values"]["auc"])
    assert read[1]["values"]["loss"] == math.inf


@pytest.mark.parametrize("name", ["", "loss\n", "a,b", "x" * 251])
def test_a_metric_that_mlflow_would_refuse_is_refused_where_it_is_logged(tmp_path, name):
    with pytest.raises(TrackingError, match="expected a name of letters"), Record(tmp_path, BEGIN) as record:
        record.log(0, {name: 1.0})


def test_a_file_that_is_not_there_is_refused_where_it_is_logged(tmp_path):
    with pytest.raises(TrackingError, match=r"gone\.png: expected a file"), Record(tmp_path, BEGIN) as record:
        record.log_artifact(tmp_path / "gone.png")


def test_reading_goes_on_where_it_stopped_and_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "record.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b"')
    assert read_lines(path, 0) == ([{"a": 1}], 9)
    assert read_lines(path, 9) == ([], 9)
    path.write_bytes(b'{"a": 1}\n{"b": 2}\n')
    assert read_lines(path, 9) == ([{"b": 2}], 18)


def test_damaged_records_are_errors_that_name_the_file(tmp_path):
    path = tmp_path / "record.jsonl"
    path.write_text("{}\nnonsense\n")
    with pytest.raises(TrackingError, match=r"record\.jsonl, line 1: expected the beginning of a run"):
        read_begin(path)
    with pytest.raises(TrackingError, match=r"record\.jsonl, from byte 3: expected lines of JSON"):
        read_lines(path, 3)


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "7",
        '{"kind": "metrics", "time": 1, "step": 0}',
        '{"kind": "metrics", "time": 1, "step": "0", "values": {}}',
        '{"kind": "metrics", "time": 1, "step": 0, "values": [0.5]}',
        '{"kind": "metrics", "time": 1, "step": 0, "values": {"loss": "0.5"}}',
        '{"kind": "tags", "values": "x"}',
        '{"kind": "artifact", "path": 7}',
        '{"kind": "tags"}',
        '{"kind": "artifact"}',
        '{"kind": "model", "name": "a"}',
        '{"kind": "end", "status": "FINISHED"}',
        '{"kind": "end", "status": "DONE", "time": 1}',
    ],
)
def test_lines_of_another_content_are_errors_that_name_the_file(tmp_path, line):
    path = tmp_path / "record.jsonl"
    path.write_text(f"{{}}\n{line}\n")
    with pytest.raises(TrackingError, match=r"record\.jsonl, from byte 0: expected lines of a record, found "):
        read_lines(path, 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("time", "1"), ("time", True), ("plan", 7), ("places", [0]), ("places", {"fold": "0"}), ("tags", {"a": None})],
)
def test_a_beginning_with_values_of_other_types_is_an_error_that_names_the_key(tmp_path, key, value):
    path = tmp_path / "record.jsonl"
    path.write_text(json.dumps({**asdict(BEGIN), key: value}) + "\n")
    with pytest.raises(TrackingError, match=rf"record\.jsonl, line 1: expected the beginning of a run, .* {key}$"):
        read_begin(path)


JOB = """
import os, sys, time
from pathlib import Path
from lungpipe.services.tracking.records import Begin, Record
record = Record(Path(sys.argv[1]), Begin("plan", "train_detector"))
record.log(1, {"loss": 0.5})
if os.fork():
    print(record.path, flush=True)
time.sleep(60)
"""


def test_what_was_logged_survives_a_kill_and_the_lock_does_not(tmp_path):
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        path = Path(job.stdout.readline().strip())
        assert is_locked(path)
        job.kill()
        job.wait()
        # a child of the job goes on, and holds nothing
        assert not is_locked(path)
        assert lines(path)[1]["values"] == {"loss": 0.5}
    finally:
        os.killpg(job.pid, 9)
        job.stdout.close()


def test_without_tracking_every_call_does_nothing(tmp_path):
    with NoRecord() as record:
        record.log(0, {"loss": 1.0})
        record.log_artifact(tmp_path / "absent")
        record.log_tags({"a": "b"})
    assert list(tmp_path.iterdir()) == []


def test_writing_records_imports_neither_mlflow_nor_settings(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from lungpipe.services.tracking.records import Begin, Record
        with Record(Path("outbox"), Begin("plan", "train_detector")) as record:
            record.log(0, {"loss": 1.0})
        assert not {"mlflow", "torch", "pydantic", "rich"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=tmp_path)
    assert len(pending_records(tmp_path / "outbox")) == 1
