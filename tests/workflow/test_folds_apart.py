"""The plan itself: what a fold's networks stand on, all the way back to the raw scans."""

import re

import pytest

TRAINING = ("train_detector", "mine_candidates", "train_scorer")
TABLES = re.compile(r"/targets/\w+\.parquet$")
"""Inputs that hold no scan: the tables of the whole dataset."""


@pytest.fixture(scope="module")
def jobs(finished):
    """Every job of the study by name."""
    jobs = finished.plan("--forceall").jobs
    assert len({job.name for job in jobs}) == len(jobs) == 24
    return {job.name: job for job in jobs}


def subsets_behind(jobs, name: str) -> set[int]:
    """The subsets whose scans a job reads, through the jobs that make its inputs."""
    makers = {output: job for job in jobs.values() for output in job.outputs}
    waiting, seen, subsets = [jobs[name]], set(), set()
    while waiting:
        job = waiting.pop()
        for path in job.inputs:
            if path not in seen and not TABLES.search(path):
                seen.add(path)
                subsets |= {int(number) for number in re.findall(r"/subset(\d+)[/.]", path)}
                if path in makers and makers[path].rule != "write_phantom":
                    waiting.append(makers[path])
    return subsets


@pytest.mark.parametrize("fold", [0, 2])
@pytest.mark.parametrize("rule", TRAINING)
def test_nothing_that_a_network_learns_from_comes_from_its_test_subset(jobs, rule, fold):
    assert subsets_behind(jobs, f"{rule} {fold}") == {0, 1, 2, 3} - {fold}


@pytest.mark.parametrize("fold", [0, 2])
def test_what_is_judged_comes_from_the_test_subset_alone(jobs, fold):
    manifest = re.compile(r"subset(\d+)/manifest")
    [detected] = [path for path in jobs[f"detect_candidates {fold}"].inputs if manifest.search(path)]
    assert manifest.search(detected)[1] == str(fold)
    scored = [manifest.search(path)[1] for path in jobs[f"score_candidates {fold}"].inputs if manifest.search(path)]
    assert scored == [str(fold), str(fold + 1)]


def test_nothing_but_the_accounting_stands_on_reference_lungs_and_quality(jobs):
    readers = {job.rule for job in jobs.values() if any("seg-lungs-LUNA16" in path for path in job.inputs)}
    assert readers == {"check_subset"}
    for table in ("references.parquet", "qc.parquet"):
        assert {job.rule for job in jobs.values() if any(table in path for path in job.inputs)} == {"account_scans"}
    assert {job.rule for job in jobs.values() if any("accounting.csv" in path for path in job.inputs)} == {
        "write_report"
    }


def test_subsets_are_prepared_apart(jobs):
    for subset in range(4):
        assert subsets_behind(jobs, f"prepare_subset {subset}") == {subset}
        assert subsets_behind(jobs, f"check_subset {subset}") == {subset}
