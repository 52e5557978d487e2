"""Two processes of torchrun learn what one learns."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lungpipe.training.distributed import (
    Processes,
    joined_processes,
    processes,
    sum_gradients,
    sum_over_processes,
    wait_for_all,
)

SUPPORT = Path(__file__).parents[2] / "support"


def run(out, *launcher, num_rounds=0):
    out.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(SUPPORT / "train_balls.py"), str(out), "6", "", str(num_rounds)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout, json.loads((out / "losses.json").read_text()), load_file(out / "weights.safetensors")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PLAIN = pytest.param(0, id="plain", marks=pytest.mark.slow)  # the other case also trains, and searches in between


@pytest.mark.parametrize("num_rounds", [PLAIN, pytest.param(2, id="with false positives")])
def test_two_processes_have_the_loss_curve_and_the_weights_of_one(tmp_path, num_rounds):
    port = f"--master_port={free_port()}"
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", port)
    text, together, weights = run(tmp_path / "two", *launcher, num_rounds=num_rounds)
    _, alone, expected = run(tmp_path / "one", num_rounds=num_rounds)
    mined = [metrics["num_hard_negatives"] for metrics in together.values() if "num_hard_negatives" in metrics]
    assert len(mined) == num_rounds
    assert all(count > 0 for count in mined)
    assert mined == [metrics["num_hard_negatives"] for metrics in alone.values() if "num_hard_negatives" in metrics]
    assert text.count("step 1\n") == 1
    assert set(together) == set(alone) == {"1", "2", "3", "4", "5", "6"}
    for step, metrics in alone.items():
        for name in ("training_loss", "gradient_norm", "validation_loss"):
            assert together[step][name] == pytest.approx(metrics[name], rel=2e-3), (step, name)
    assert together["1"]["training_loss"] == pytest.approx(alone["1"]["training_loss"], rel=1e-6)
    # the centre network learns more slowly than the U-Net
    assert alone["6"]["training_loss"] < (0.95 if num_rounds else 0.9) * alone["1"]["training_loss"]
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=0.02, atol=2e-3)


def test_a_process_on_its_own_sums_nothing():
    network = nn.Linear(2, 1)
    network.weight.grad = torch.ones(1, 2)
    sum_gradients(network)
    wait_for_all()
    value = torch.tensor([1.0, 2.0])
    assert network.weight.grad.tolist() == [[1.0, 1.0]]
    assert sum_over_processes(value) is value
    assert processes() == Processes(0, 1)
    assert processes().is_first


def test_without_torchrun_no_process_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes(torch.device("cpu")) as mine:
        assert mine == Processes(0, 1)
        assert not torch.distributed.is_initialized()


def test_processes_must_share_a_batch_evenly(monkeypatch, cpu):
    from ball_parts import ball_detector

    from lungpipe.training import trainer
    from lungpipe.training.run import TrainingRun

    monkeypatch.setattr(trainer, "processes", lambda: Processes(0, 3))
    arguments = TrainingRun(cpu, 16, 3, lambda step, metrics: None)
    with pytest.raises(ValueError, match="batch_size: expected a multiple of the number of processes, found 4 for 3"):
        trainer.fit(nn.Linear(1, 1), (), None, ball_detector().training, run=arguments)
