"""One step: what moves the weights, in which order, and that nothing in it waits for the device."""

import pytest
import torch
from ball_parts import ball_detector, ball_scorer
from torch.utils._python_dispatch import TorchDispatchMode

from lungpipe.models import build_network
from lungpipe.sampling.feed import Feed
from lungpipe.training.augment import augment
from lungpipe.training.members import TrainingJob, build_objective, feed_plan
from lungpipe.training.optimiser import build_optimiser
from lungpipe.training.step import TrainingStep, seed_of, split

WAITING = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::is_nonzero", "aten::equal")
"""What reads a value back to the host: item, bool, float, tolist of one value, and shapes that depend on values."""


class Calls(TorchDispatchMode):
    """Counts the calls of operators by name, and copies from a device to the CPU."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def bench(ball_scans, hardware):
    """Make a step of a part's network on the device, with its feed and optimiser."""
    feeds = []

    def make(part):
        job = TrainingJob(hardware, seed=3, log=lambda step, metrics: None)
        side = ball_scans[0]
        plan = feed_plan(part, job, (1.0, 1.0, 1.0))
        feeds.append(Feed(side.points, side.volumes, (side.nodules, side.exclusions), plan))
        torch.manual_seed(1)
        network = hardware.place(build_network(part.network))
        step = TrainingStep(network, build_objective(part), part.training, hardware, patch_and_seed=(16, 3))
        return step, feeds[-1], build_optimiser(network, part.training)

    yield make
    for feed in feeds:
        feed.close()


def refuse(*arguments, **named):
    raise AssertionError("a step made a tensor from Python numbers")


def gradients(network):
    return {
        name: parameter.grad.clone() for name, parameter in network.named_parameters() if parameter.grad is not None
    }


PARTS = {
    "mask": ball_detector,
    "center": lambda **training: ball_detector({"kind": "center_net", "output_stride": 2}, **training),
    "score": lambda **training: ball_scorer(**training),
}


@pytest.mark.parametrize("name", PARTS)
def test_nothing_in_a_step_waits_for_the_device(bench, name, monkeypatch):
    # on the CPU, painting looks which windows hold a finding; that costs nothing there and is not done on CUDA
    step, feed, optimiser = bench(PARTS[name](micro_batch_size=2))
    batch = feed.batch(0)
    if step.hardware.device.type == "cuda":
        step.take(feed.batch(1), 1, optimiser)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            step.take(batch, 0, optimiser)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return
    # a tensor from Python numbers is copied to the device, and the host waits for the copy
    for owner, maker in ((torch, "tensor"), (torch, "as_tensor"), (torch.Tensor, "new_tensor")):
        monkeypatch.setattr(owner, maker, refuse)
    with Calls() as calls:
        step.take(batch, 0, optimiser)
        step.objective.counts(augment(batch, step.training.augmentation, 16))
    assert len(calls.names) > 100
    allowed = {"aten::nonzero"} if name != "score" else set()
    assert set(calls.names) & set(WAITING) <= allowed


def test_what_is_counted_as_waiting_is_found():
    value = torch.ones(1)
    for wait in (value.item, lambda: bool(value), lambda: float(value), value.nonzero, lambda: value[value > 0]):
        with Calls() as calls:
            wait()
        assert set(calls.names) & {*WAITING, "aten::index"}


@pytest.mark.parametrize("name", ["mask", "center", "score"])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(bench, name):
    found = []
    for size in (None, 4, 3, 1):
        step, feed, optimiser = bench(PARTS[name](micro_batch_size=size, gradient_limit=1e9))
        # statistics of a batch and dropout do depend on its parts
        step.network.eval()
        step.network.train = lambda mode=True: None
        loss, _ = step.take(feed.batch(0), 0, optimiser)
        found.append((loss, gradients(step.network)))
    for loss, grads in found[1:]:
        torch.testing.assert_close(loss, found[0][0], rtol=1e-5, atol=1e-6)
        for key, value in grads.items():
            torch.testing.assert_close(value, found[0][1][key], rtol=1e-3, atol=1e-5)


def test_the_gradient_is_clipped_to_the_limit(bench):
    step, feed, optimiser = bench(ball_detector(gradient_limit=0.01))
    _, norm = step.take(feed.batch(0), 0, optimiser)
    clipped = torch.stack([value.norm() for value in gradients(step.network).values()]).norm().item()
    assert norm.item() > 0.1
    assert clipped == pytest.approx(0.01, rel=1e-3)
    step, feed, optimiser = bench(ball_detector(gradient_limit=1e9))
    _, norm = step.take(feed.batch(0), 0, optimiser)
    free = torch.stack([value.norm() for value in gradients(step.network).values()]).norm()
    torch.testing.assert_close(free, norm, rtol=1e-4, atol=0)


def test_gradients_of_the_step_before_are_forgotten(bench):
    part = ball_detector(learning_rate=1e-12, weight_decay=0.0, gradient_limit=1e9)
    step, feed, optimiser = bench(part)
    step.take(feed.batch(0), 0, optimiser)
    first = gradients(step.network)
    step.take(feed.batch(0), 0, optimiser)
    for name, value in gradients(step.network).items():
        torch.testing.assert_close(value, first[name], rtol=1e-3, atol=1e-4)


def test_the_network_trains_in_training_mode_and_dropout_follows_the_step(bench):
    step, feed, optimiser = bench(ball_scorer(learning_rate=1e-12, weight_decay=0.0))
    step.network.eval()
    losses = [step.take(feed.batch(0), index, optimiser)[0].item() for index in (5, 6, 5)]
    assert step.network.training
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_a_step_trains_on_augmented_patches(bench):
    seen = {}
    for name, augmentation in (("plain", {"hu_scale": 0.0, "hu_shift": 0.0, "has_symmetries": False}), ("shifted", {})):
        part = ball_detector(augmentation=augmentation)
        step, feed, optimiser = bench(part)
        step.network.register_forward_pre_hook(lambda module, args, name=name: seen.setdefault(name, args[0].clone()))
        step.take(feed.batch(0), 0, optimiser)
    assert seen["plain"].shape == (4, 1, 16, 16, 16)
    assert not torch.equal(seen["plain"], seen["shifted"])


def test_split_cuts_every_tensor_and_keeps_the_rest(make_patches):
    rows = [(0.0, 0.0, 0.0, float(k), 1) for k in range(5)]
    mask = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 8, 8, 8)
    labels = {"is_nodule": [0.0, 1.0, 2.0, 3.0, 4.0]}
    patches = make_patches(*[[row] for row in rows], labels=labels, weights=[0.0, 1.0, 2.0, 3.0, 4.0], mask=mask)
    parts = list(split(patches, 2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert parts[1].findings_BK5[:, 0, 3].tolist() == [2, 3]
    assert parts[1].mask_BZYX[:, 0, 0, 0].tolist() == [2, 3]
    assert parts[1].labels["is_nodule"].tolist() == parts[1].weight_B.tolist() == [2, 3]
    assert parts[1].spacing_zyx_mm == patches.spacing_zyx_mm
    assert [next(split(patches, size)) for size in (None, 5, 9)] == [patches] * 3


def test_seeds_of_neighbours_differ():
    seeds = {seed_of(a, b, c) for a in range(5) for b in range(5) for c in range(5)}
    assert len(seeds) == 125
    assert max(seeds) > 2**62
