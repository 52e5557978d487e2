"""What the jobs computed with, as the report shows it."""

import json

import pytest

from lungpipe.reporting.computed import computed_table, other_versions, read_computed
from lungpipe.tables.errors import InputError

CPU = {"device": "cpu (x)", "precision": "float32", "threads": "2", "instructions": "AVX2"}
GPU = {**CPU, "device": "cuda (y)"}


def test_jobs_on_equal_hardware_share_a_row():
    jobs = {"train_detector fold0": CPU, "train_detector fold3": CPU, "score_candidates fold0": GPU}
    assert computed_table(jobs).rows == (
        ("train_detector (fold0, fold3)", "cpu (x)", "float32", "2", "AVX2"),
        ("score_candidates (fold0)", "cuda (y)", "float32", "2", "AVX2"),
    )


def test_notes_are_found_beside_the_logs_of_jobs_with_and_without_a_fold(tmp_path):
    for name in ("train_detector/fold3.ran.json", "train_final_detector.ran.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(CPU))
    found = read_computed(tmp_path, ".ran.json")
    assert found == {"train_detector fold3": CPU, "train_final_detector": CPU}
    assert computed_table(found).rows[0][0] == "train_detector (fold3), train_final_detector"


@pytest.mark.parametrize("content", ["[1]", "{", '{"versions": [1]}', '{"versions": {"torch": 1}}'])
def test_an_edited_note_is_refused_by_name(tmp_path, content):
    (tmp_path / "train_final_detector.ran.json").write_text(content)
    with pytest.raises(InputError, match=r"train_final_detector\.ran\.json: expected "):
        read_computed(tmp_path, ".ran.json")


def test_no_job_that_noted_anything_is_no_table():
    assert computed_table({}) is None


def test_versions_are_named_where_they_differ_from_the_reports_own():
    jobs = {"a fold0": {**CPU, "versions": {"torch": "1", "numpy": "2"}}, "b fold0": {"versions": {"torch": "3"}}}
    assert other_versions(jobs, {"torch": "3", "numpy": "2"}) == {"torch in jobs": "1, 3"}
