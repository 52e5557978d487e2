"""What every edit of the table reruns: the jobs that it names, all that need their results, and no others."""

import shutil
from collections.abc import Iterable

import pytest
from edit_matrix import PAGE, ROOT, read_edits, write_page

FOLLOWS = "Input files updated by another job"
REPEATED = {"nothing": set(), "training": {"train"}, "preparation and training": {"prepare", "train"}}
EDITS = read_edits()
SILENT = [edit for edit in EDITS if not edit.reruns and not edit.data]
"""Edits of code that rerun nothing, one by one or all together."""


def one_by_one() -> list:
    """All edits. A plan of each silent one is slow: the quick test plans them together."""
    marks = {True: pytest.mark.slow, False: ()}
    return [pytest.param(edit, id=f"{edit.area}: {edit.what}", marks=marks[edit in SILENT]) for edit in EDITS]


@pytest.fixture(scope="module")
def jobs(finished):
    """All jobs of the study, with their files."""
    return finished.plan("--forceall").jobs


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished study that is removed after the test: there are many."""
    folder = tmp_path / "study"
    shutil.copytree(finished.folder, folder)
    yield type(finished)(folder)
    shutil.rmtree(folder)


def matching(jobs, names: Iterable[str]) -> set[str]:
    """The names of the jobs that a row names: a rule's, or one of a rule."""
    found = {name: {job.name for job in jobs if name in (job.rule, job.name)} for name in names}
    assert all(found.values()), f"expected jobs of these names, found {found}"
    return set().union(*found.values())


def with_followers(jobs, names: set[str]) -> set[str]:
    """The jobs of these names and all that need their results, directly or not."""
    found = set(names)
    while True:
        outputs = {path for job in jobs if job.name in found for path in job.outputs}
        more = {job.name for job in jobs if outputs & set(job.inputs)} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize("edit", one_by_one())
def test_an_edit_reruns_what_needs_it(study, jobs, edit):
    edit.apply(study.folder)
    answer = study.plan(delta=study.delta(edit.settings) if edit.settings else None)
    first = {job.name for job in answer.jobs if FOLLOWS not in job.reason}
    assert first == matching(jobs, edit.reruns)
    assert answer.names == with_followers(jobs, first)
    repeated = {job.rule.partition("_")[0] for job in answer.jobs} & {"prepare", "train"}
    assert repeated == REPEATED[edit.repeats]
    assert ("Nothing to be done" in answer.text) == (not edit.reruns)


def test_edits_that_rerun_nothing_rerun_nothing_together(study):
    assert len(SILENT) > 20
    for edit in SILENT:
        assert edit.settings is None
        edit.apply(study.folder)
    answer = study.plan()
    assert {job.name: job.reason for job in answer.jobs} == {}
    assert "Nothing to be done" in answer.text


def test_every_edit_of_code_can_be_made(tmp_path):
    # a plan of each takes minutes; that the text to be edited is there shows at once
    for edit in EDITS:
        if edit.file:
            path = edit.path_in(tmp_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(edit.path_in(ROOT), path)
            edit.apply(tmp_path)
            path.unlink()


def test_there_are_edits_of_every_area_and_none_is_there_twice():
    assert {edit.area for edit in EDITS} == {"words", "code", "settings", "data"}
    assert len(EDITS) >= 25
    assert len({edit.what for edit in EDITS}) == len(EDITS)


def test_the_page_shows_the_table():
    assert PAGE.read_text() == write_page(), "run: make generate"
