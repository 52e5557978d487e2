"""Runs beside each other, and jobs whose workflow was killed."""

import os
import signal

import psutil
from waiting import wait_until

TARGET = "results/ci/flagship/fold0/detector.safetensors"


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def jobs_of(pid: int) -> list[psutil.Process]:
    """The processes that Snakemake started and its jobs started, without the sender, which outlives a killed run."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "lungpipe.services.tracking.sender" not in " ".join(child.cmdline())]


def test_a_second_run_is_refused_by_name_and_the_plain_command_goes_on_after_a_kill(fresh):
    run = fresh.start(TARGET)
    try:
        log = fresh.recipe / "logs" / "train_detector" / "fold0.log"
        wait_until(lambda: log.is_file() and "step 40" in log.read_text(), 600)
        os.killpg(run.pid, signal.SIGSTOP)
        jobs = jobs_of(run.pid)
        assert jobs
        second = fresh.snakemake(TARGET, expect=1)
        named = f"results/ci/flagship: expected no other run of this study, found process {run.pid} on"
        assert named in second.text
        # the living run sends its records; the last words name that run, and not how locks are removed
        assert "still sending" not in second.text
        assert named in second.text.strip().splitlines()[-1]
        assert not second.jobs
        plan = fresh.plan(TARGET)
        assert named in plan.text
        assert plan.names == {"train_detector 0"}

        # the workflow's process alone: its jobs end by themselves
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        os.killpg(run.pid, signal.SIGCONT)
        wait_until(lambda: all(map(is_over, jobs)), 10)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    left = fresh.recipe / "fold0" / f".detector.{jobs[-1].pid}-01234567.safetensors"
    left.write_text("half a model")
    answer = fresh.snakemake(TARGET)
    assert "expected no other run" not in answer.text
    assert answer.names == {"train_detector 0"}
    assert not left.exists()
    assert not list((fresh.folder / ".snakemake" / "lungpipe").glob("*.json"))
