"""Resume files: a stopped training ends in the same bytes, and files of other trainings are not used."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ball_parts import ball_detector
from safetensors.torch import save

from lungpipe.training.detector import train_detector
from lungpipe.training.members import TrainingJob, delete_resume_files
from lungpipe.training.resume import load_resume, save_resume

SUPPORT = Path(__file__).parents[2] / "support"
PROGRAM = SUPPORT / "train_balls.py"
SPACING = (1.0, 1.0, 1.0)


def start(out, *arguments):
    out.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])}
    command = [sys.executable, str(PROGRAM), str(out), "6", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(process):
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    return text


@pytest.mark.parametrize("num_rounds", [0, 2], ids=["plain", "with false positives"])
def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(tmp_path, num_rounds):
    unbroken = start(tmp_path / "unbroken", "", num_rounds)
    killed = start(tmp_path / "killed", tmp_path / "resume", num_rounds)
    for line in killed.stdout:
        if line == "step 3\n":
            killed.send_signal(signal.SIGKILL)
            break
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    resumed = finish(start(tmp_path / "killed", tmp_path / "resume", num_rounds))
    finish(unbroken)
    assert "the training goes on after step" in resumed
    assert "step 1\n" not in resumed
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]


class StoppedError(Exception):
    """Stops a training from its log."""


@pytest.fixture
def train(ball_scans, hardware, tmp_path):
    """Train into a resume folder, stopped at a step if asked to; return weights, history, and what was said."""

    def run(stop_at=None, identity="data", **training):
        said = []

        def log(step, metrics):
            if step == stop_at:
                raise StoppedError

        job = TrainingJob(hardware, 3, log, identity=identity, resume_dir=tmp_path / "resume", say=said.append)
        part = ball_detector(**training)
        trained = train_detector(part, ball_scans, job, spacing_zyx_mm=SPACING)
        weights = [save({k: v.cpu().contiguous() for k, v in m.state_dict().items()}) for m in trained.members]
        return weights, trained.history, said, job

    return run


def test_history_and_best_check_survive_a_stop(train, tmp_path):
    whole, history, _, job = train()
    delete_resume_files("detector", job, 1)
    assert list((tmp_path / "resume").iterdir()) == []
    with pytest.raises(StoppedError):
        train(stop_at=6)
    again, resumed, said, _ = train()
    assert "goes on after step 4 of 8" in said[0]
    if job.hardware.device.type == "cpu":
        assert again == whole
        assert resumed.equals(history)
    else:
        assert list(resumed["step"]) == list(history["step"])


def test_a_finished_member_is_not_trained_again(train):
    with pytest.raises(StoppedError):
        train(stop_at=12, num_members=2)
    members, history, said, _ = train(num_members=2)
    assert ["goes on after step 8 of 8" in said[0], "goes on after step 2 of 8" in said[1]] == [True, True]
    assert members[0] != members[1]
    assert sorted(set(history["step"])) == [2, 4, 6, 8, 10, 12, 14, 16]


@pytest.mark.parametrize("change", [{"identity": "other data"}, {"learning_rate": 2e-2}, {"num_steps": 12}])
def test_a_file_of_another_training_is_not_used(train, change):
    with pytest.raises(StoppedError):
        train(stop_at=6)
    _, history, said, _ = train(**change)
    assert "other settings or data" in said[0]
    assert "starts anew" in said[0]
    assert history["step"].min() == change.get("num_steps", 8) // 4


def test_a_damaged_file_is_not_used(train, tmp_path):
    train()
    path = tmp_path / "resume" / "detector_member0_resume.pt"
    for content in (path.read_bytes()[:1000], b"", b"no file of torch"):
        path.write_bytes(content)
        _, _, said, _ = train()
        assert f"{path}: expected a resume file, found" in said[0]


def test_state_comes_back_as_it_was(tmp_path):
    state = {"weights": {"a": torch.arange(3.0)}, "rows": [(1, "loss", 0.5)], "step": 7}
    save_resume(tmp_path / "resume.pt", state, "identity")
    said = []
    loaded = load_resume(tmp_path / "resume.pt", "identity", said.append)
    assert (loaded["rows"], loaded["step"], said) == ([(1, "loss", 0.5)], 7, [])
    assert loaded["weights"]["a"].equal(state["weights"]["a"])
    assert load_resume(tmp_path / "none.pt", "identity", said.append) is None
    assert said == []


def test_a_file_of_another_version_is_not_used(tmp_path):
    torch.save({"format_version": 0}, tmp_path / "resume.pt")
    said = []
    assert load_resume(tmp_path / "resume.pt", "identity", said.append) is None
    assert "expected a resume file of version 1, found 0" in said[0]


def test_a_file_that_would_run_code_is_not_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"format_version": 1, "identity": "identity", "state": Trap()}, tmp_path / "resume.pt")
    said = []
    assert load_resume(tmp_path / "resume.pt", "identity", said.append) is None
    assert "starts anew" in said[0]
