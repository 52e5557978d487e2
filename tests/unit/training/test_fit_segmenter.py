"""The segmenter really learns, and learns the same thing twice."""

import numpy as np
import pytest
import torch

from lungpipe.datasets.folds import Split
from lungpipe.models import Hardware, ModelCard, Segmenter, save_checkpoint
from lungpipe.sampling import IGNORED, NODULE, PackedPatches
from lungpipe.settings import SegmenterSettings
from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training import fit_segmenter
from lungpipe.training.fit_segmenter import SegmentationTask

SPLIT = Split(0, ("1.1",), ("1.2",), ("1.3",))


def make_settings(num_steps, **changes):
    training = TrainingSettings(num_steps=num_steps, batch_size=8, learning_rate=1e-2, num_checks=4)
    chosen = {"channels": (8, 12), "stem_stride": 1, "patch_size_vox": 12, "max_offset_vox": 2, "tile_size_vox": 16}
    return SegmenterSettings(**{**chosen, "tile_overlap_vox": 4, "training": training, **changes})


def balls(seed, count=12, side=16):
    """Noisy lung with a ball of tissue in every second block."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-850, 40, (count, side, side, side))
    target = np.zeros(hu.shape, np.uint8)
    for row in range(0, count, 2):
        center, radius = (side - 1) / 2 + rng.uniform(-1, 1, 3), rng.uniform(2.5, 4)
        distance = np.linalg.norm(np.stack(np.indices(hu.shape[1:]), axis=-1) - center, axis=-1)
        target[row][distance < radius] = NODULE
        hu[row][distance < radius] += 800
    return PackedPatches(hu.astype(np.int16), target, np.arange(count) % 2 == 0, np.full(count, f"1.{seed}"))


@pytest.fixture(scope="module")
def packs():
    return balls(1), balls(2)


def ignore(step, metrics):
    """Listen to nothing."""


def test_it_finds_balls_that_it_never_saw(packs, cpu):
    network, outcome = fit_segmenter(packs, make_settings(60), cpu, seed=1, log=ignore)
    dice = outcome.history.query("metric == 'validation_dice'").set_index("step")["value"]
    assert dice[outcome.best_step] > 0.7
    assert dice[outcome.best_step] == dice.max()
    assert not network.training


def trained_bytes(packs, hardware, path, seed):
    network, outcome = fit_segmenter(packs, make_settings(4), hardware, seed=seed, log=ignore)
    card = ModelCard.of("segmenter", {}, SPLIT, data_digest="", best_step=outcome.best_step)
    save_checkpoint(path, network, card)
    return path.read_bytes(), outcome.history


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_seed_gives_the_same_bytes_and_another_does_not(packs, cpu, tmp_path, dtype):
    (one, history), (same, again), (other, _) = (
        trained_bytes(packs, Hardware(cpu.device, dtype), tmp_path / f"{name}.safetensors", seed)
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    )
    assert one == same
    assert history.equals(again)
    assert one != other


def test_what_was_trained_before_does_not_matter(packs, cpu, tmp_path):
    one, _ = trained_bytes(packs, cpu, tmp_path / "one.safetensors", 5)
    fit_segmenter(packs, make_settings(1), cpu, seed=77, log=ignore)
    two, _ = trained_bytes(packs, cpu, tmp_path / "two.safetensors", 5)
    assert one == two


def test_packs_without_blocks_or_nodules_are_refused(packs, cpu):
    training, validation = packs
    for given, expected in (
        ((PackedPatches.empty(16), validation), "expected packed patches for training, found none"),
        ((training, PackedPatches.empty(16)), "expected packed patches for validation, found none"),
        ((training.only([]), validation), "for training"),
    ):
        with pytest.raises(ValueError, match=expected):
            fit_segmenter(given, make_settings(1), cpu, seed=1, log=ignore)
    nothing = PackedPatches(training.hu, training.target, np.zeros(len(training), bool), training.series_uid)
    with pytest.raises(ValueError, match="expected nodules in the training subsets, found none"):
        fit_segmenter((nothing, validation), make_settings(1), cpu, seed=1, log=ignore)


@pytest.mark.parametrize("changes", [{"patch_size_vox": 11}, {"tile_size_vox": 15}])
def test_sizes_that_the_stride_does_not_divide_are_refused_before_training(packs, cpu, changes):
    settings = make_settings(1, **changes)
    found = f"found {settings.patch_size_vox} and {settings.tile_size_vox}"
    with pytest.raises(ValueError, match=f"stride 2, {found}"):
        fit_segmenter(packs, settings, cpu, seed=1, log=ignore)


def test_what_is_found_in_ignored_voxels_does_not_lower_the_validation_dice(packs, cpu):
    training, validation = packs
    settings = make_settings(1)
    network = Segmenter(settings).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.ones_(network.head.bias)  # every voxel is found
    nodule = (validation.target == NODULE)[:, 2:14, 2:14, 2:14].sum()

    def dice(pack):
        return SegmentationTask(network, (training, pack), settings, cpu, seed=1).check()["validation_dice"]

    assert dice(validation) == pytest.approx(2 * nodule / (12 * 12**3 + nodule))
    ignored = np.where(validation.has_nodule[:, None, None, None], validation.target, IGNORED).astype(np.uint8)
    half = PackedPatches(validation.hu, ignored, validation.has_nodule, validation.series_uid)
    assert dice(half) == pytest.approx(2 * nodule / (6 * 12**3 + nodule))
