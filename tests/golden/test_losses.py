"""The first 20 losses of every network: a refactor leaves them to the bit.

A change of computation changes them: record them again (`make golden`) in the commit of the change, and say in its
message by how much they moved.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
STORED = json.loads((FOLDER / "losses.json").read_text())
TOLERANCE = 1e-3
"""Largest relative difference of a loss where bits cannot be expected: other processors, another torch."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("golden") / "losses.json"
    root = request.config.rootpath
    places = os.pathsep.join([str(root / "src"), str(root / "tests" / "support")])
    environment = {**os.environ, "PYTHONPATH": places}
    subprocess.run([sys.executable, FOLDER / "record_losses.py", path], env=environment, check=True, timeout=300)
    return json.loads(path.read_text())


def test_every_network_is_recorded(recorded):
    assert list(recorded["figures"]) == list(STORED["figures"])
    assert all(len(figures["losses"]) == 20 for figures in STORED["figures"].values())


@pytest.mark.parametrize("name", STORED["figures"])
def test_losses_and_scores_are_close_on_any_machine(recorded, name):
    for key in ("losses", "scores"):
        assert recorded["figures"][name][key] == pytest.approx(STORED["figures"][name][key], rel=TOLERANCE, abs=1e-3)


@pytest.mark.parametrize("name", STORED["figures"])
def test_losses_and_weights_are_the_same_to_the_bit(recorded, name):
    if recorded["recorded on"] != STORED["recorded on"]:
        pytest.skip(f"recorded on {STORED['recorded on']}, this is {recorded['recorded on']}")
    figures, stored = recorded["figures"][name], STORED["figures"][name]
    moved = [
        f"step {step}: {old!r} before, {new!r} now"
        for step, (old, new) in enumerate(zip(stored["losses"], figures["losses"], strict=True), start=1)
        if old != new
    ]
    assert not moved, f"{len(moved)} of 20 losses moved, the first at {moved[0]}"
    assert figures["weights"] == stored["weights"]


@pytest.mark.parametrize("name", STORED["figures"])
def test_every_network_learns_in_20_steps(name):
    losses = STORED["figures"][name]["losses"]
    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])
