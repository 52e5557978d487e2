"""What the jobs computed with, as the report shows it."""

from lungpipe.reporting.computed import computed_table, other_versions

CPU = {"device": "cpu (x)", "precision": "float32", "threads": "2", "instructions": "AVX2"}
GPU = {**CPU, "device": "cuda (y)"}


def test_jobs_on_equal_hardware_share_a_row():
    jobs = {"train_detector fold0": CPU, "train_detector fold3": CPU, "score_candidates fold0": GPU}
    assert computed_table(jobs).rows == (
        ("train_detector (fold0, fold3)", "cpu (x)", "float32", "2", "AVX2"),
        ("score_candidates (fold0)", "cuda (y)", "float32", "2", "AVX2"),
    )


def test_no_job_that_noted_anything_is_no_table():
    assert computed_table({}) is None


def test_versions_are_named_where_they_differ_from_the_reports_own():
    jobs = {"a fold0": {**CPU, "versions": {"torch": "1", "numpy": "2"}}, "b fold0": {"versions": {"torch": "3"}}}
    assert other_versions(jobs, {"torch": "3", "numpy": "2"}) == {"torch in jobs": "1, 3"}
