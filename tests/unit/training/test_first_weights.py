"""Trainings that start from the weights of a file, or say that they do not."""

import pytest
import torch
from ball_parts import ball_detector, ball_scorer, masked_scorer
from random_detector import write_random_part

from lungpipe.models import build_network, load_model
from lungpipe.settings.recipe import Cnn3dSettings, SliceVgg16Settings, TrainedScorer
from lungpipe.training.first_weights import start_weights
from lungpipe.training.members import TrainingJob
from lungpipe.training.scorer import train_scorer

NETWORK = {"kind": "slice_vgg16", "channels": [2, 2, 2, 2, 2], "hidden": 4, "slices_per_plane": 1}


@pytest.fixture
def path(tmp_path):
    """The convolutions of a network of these channels with three windows, as 2D kernels."""
    torch.manual_seed(5)
    network = build_network(SliceVgg16Settings.model_validate({**NETWORK, "windows_hu": [(-1000, 400)] * 3}))
    state = {name: t[:, :, 0] if t.dim() == 5 else t for name, t in network.state_dict().items() if "features" in name}
    torch.save(state, tmp_path / "vgg16.pth")
    return tmp_path / "vgg16.pth"


def make_part(**network):
    objective = {"kind": "slices"}
    training = {"num_steps": 2, "batch_size": 4, "num_checks": 1, "learning_rate": 1e-12, "objective": objective}
    sampling = {"patch_size_vox": 32, "max_offset_vox": 2}
    part = {"network": NETWORK | network, "sampling": sampling, "training": training, "inference": {}}
    return TrainedScorer.model_validate(part)


def train(part, material, cpu):
    lines = []
    job = TrainingJob(cpu, seed=3, log=lambda step, metrics: None, say=lines.append)
    return train_scorer(part, material, job, spacing_zyx_mm=(1.0, 1.0, 1.0)).members[0].state_dict(), lines


def test_a_training_starts_from_the_file_and_says_so(ball_scans, cpu, path):
    trained, lines = train(make_part(weights_path=str(path)), ball_scans, cpu)
    assert lines == [
        f"{path}: the training starts from 13 convolutions and 0 of 2 dense layers; the first 0 of 5 blocks keep them"
    ]
    state = torch.load(path, weights_only=True)
    torch.testing.assert_close(trained["features.28.weight"][:, :, 0], state["features.28.weight"], rtol=0, atol=1e-6)


def test_frozen_blocks_keep_every_bit(ball_scans, cpu, path):
    trained, _ = train(make_part(weights_path=str(path), frozen_blocks=5), ball_scans, cpu)
    state = torch.load(path, weights_only=True)
    assert torch.equal(trained["features.28.weight"][:, :, 0], state["features.28.weight"])
    assert torch.equal(trained["features.2.bias"], state["features.2.bias"])


def test_without_a_file_a_line_says_that_it_starts_from_scratch(ball_scans, cpu):
    _, lines = train(make_part(), ball_scans, cpu)
    assert lines == ["weights_path is null: the network is trained from scratch"]


def test_networks_that_take_no_file_say_nothing():
    lines = []
    start_weights(torch.nn.Identity(), Cnn3dSettings(), lines.append)
    assert lines == []


def test_a_training_moves_a_scorer_and_no_bit_of_the_detector_whose_mask_it_sees(ball_scans, cpu, tmp_path):
    detector = ball_detector({"kind": "center_net", "output_stride": 2})
    (tmp_path / "final").mkdir()
    path = write_random_part(tmp_path / "final" / "detector.safetensors", "detector", detector)
    part = masked_scorer(detector, weights_path=str(path))
    part = part.model_copy(update={"training": ball_scorer().training})
    trained, lines = train(part, ball_scans, cpu)
    assert lines[0] == f"{path}: the training starts from masks of the detector of recipe random, final"
    torch.manual_seed(TrainingJob(cpu, seed=3, log=lambda step, metrics: None).member_seed(0))
    started, expected = build_network(part.network).state_dict(), load_model(path).members[0].state_dict()
    for name, tensor in trained.items():
        if name.startswith("intensity.mask.network."):
            # running statistics of batch normalisation, too
            assert torch.equal(tensor, expected[name.removeprefix("intensity.mask.network.")]), name
        elif name.startswith(("stages.", "nodule.")):
            assert not torch.equal(tensor, started[name]), name
