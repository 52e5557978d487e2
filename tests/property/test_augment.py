"""Whatever is drawn, windows, masks and findings move together and lose nothing."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lungpipe.sampling.batch import Batch
from lungpipe.sampling.draws import SYMMETRIES, draw_augmentation, rotation_matrices
from lungpipe.sampling.targets import IGNORED, NODULE, paint_masks
from lungpipe.settings.recipe import AugmentationSettings
from lungpipe.training.augment import augment, margin_for
from lungpipe.training.change_place import move

SYMMETRIC = AugmentationSettings(hu_scale=0.0, hu_shift=0.0)
MM = (1.0, 1.0, 1.0)

# eighths of a millimetre are exact in float32, so that a strict rule gives the same voxels in every orientation
_eighths = st.integers(-48, 48).map(lambda n: n / 8)
_finding = st.tuples(
    _eighths, _eighths, _eighths, st.integers(-1, 60).map(lambda n: n / 4), st.sampled_from([0.0, 1.0, 2.0])
)
_findings = st.lists(_finding, max_size=4)


def build(findings, hu, spacing=MM, **draws):
    rows = torch.tensor([findings], dtype=torch.float32).reshape(1, -1, 5)
    drawn = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in draws.items()}
    return Batch(hu, None, rows, {}, torch.ones(1), drawn, spacing, np.zeros(1, np.int64), ("1.1",))


def ramp(size):
    return torch.arange(size**3, dtype=torch.int16).reshape(1, size, size, size)


# smaller ones may lie between voxels that are equally near, of which one is marked
_large = st.lists(_finding.filter(lambda finding: finding[3] < 0 or finding[3] > 2), max_size=4)


@given(_large, st.integers(0, 47), st.integers(3, 10))
def test_painting_after_a_symmetry_is_the_symmetry_of_what_was_painted(findings, number, size):
    batch = build(findings, ramp(size), symmetry=SYMMETRIES[number : number + 1])
    painted = paint_masks(batch.findings_BK5, (size,) * 3, MM)
    masked = Batch(
        batch.hu_BZYX, painted, batch.findings_BK5, {}, batch.weight_B, batch.draws, MM, batch.rows, ("1.1",)
    )
    patches = augment(masked, SYMMETRIC, size)
    assert torch.equal(paint_masks(patches.findings_BK5, (size,) * 3, MM), patches.mask_BZYX)


@given(_findings, st.integers(0, 47), st.integers(2, 8))
def test_a_symmetry_keeps_every_voxel_and_has_its_inverse(findings, number, size):
    matrix = SYMMETRIES[number : number + 1]
    there, _, moved = move(build(findings, ramp(size), symmetry=matrix), size)
    assert sorted(there.flatten().tolist()) == list(range(size**3))
    batch = build(findings, there.to(torch.int16), symmetry=matrix.transpose(0, 2, 1))
    back, _, restored = move(replace(batch, findings_BK5=moved), size)
    assert torch.equal(back.to(torch.int16), ramp(size))
    known = torch.tensor([findings], dtype=torch.float32).reshape(1, -1, 5)
    known[..., 3] = torch.where(known[..., 3] < 0, 10.0, known[..., 3])
    assert torch.equal(restored, known)


@given(_findings, st.integers(0, 2**32), st.floats(0, 180), st.floats(0, 0.4), st.sampled_from([MM, (2.0, 1.0, 0.75)]))
def test_rotation_and_zoom_keep_shape_and_proportion_of_the_findings(findings, seed, degrees, zoom, spacing):
    settings = AugmentationSettings(rotation_deg=degrees, zoom=zoom, hu_scale=0.0, hu_shift=0.0)
    draws = draw_augmentation(np.random.default_rng(seed), 1, settings)
    window = 5 + 2 * margin_for(settings, 5, spacing)
    batch = build(findings, torch.zeros((1, window, window, window), dtype=torch.int16), spacing, **draws)
    moved = augment(batch, settings, 5).findings_BK5[0].double()
    size = float(draws["zoom"][0]) if "zoom" in draws else 1.0
    before = batch.findings_BK5[0].double()
    assert torch.allclose(
        torch.cdist(moved[:, :3], moved[:, :3]), size * torch.cdist(before[:, :3], before[:, :3]), atol=1e-4
    )
    assert torch.allclose(moved[:, :3].norm(dim=1), size * before[:, :3].norm(dim=1), atol=1e-4)
    known = torch.where(before[:, 3] < 0, 10.0, before[:, 3])
    assert torch.allclose(moved[:, 3], known * size, atol=1e-4)
    assert torch.equal(moved[:, 4], before[:, 4])


@given(
    st.tuples(*[st.floats(-6, 6)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 0.1),
    st.floats(-3.1, 3.1),
    st.floats(0.8, 1.25),
    st.integers(0, 47),
    st.sampled_from([17, 18]),
)
def test_a_bright_spot_moves_with_its_finding(place, axis, angle, zoom, number, size):
    """A Gaussian of HU around the finding: its centre of mass must be where the finding is after all changes."""
    window = 2 * size + 1 if size % 2 else 2 * size
    axes = np.meshgrid(*[np.arange(window) - (window - 1) / 2] * 3, indexing="ij")
    squared = sum((grid - center) ** 2 for grid, center in zip(axes, place, strict=True))
    hu = torch.as_tensor(30_000 * np.exp(-squared / (2 * 1.5**2))).to(torch.int16)[None]
    matrix = rotation_matrices(np.array([axis]) / np.linalg.norm(axis), np.array([angle]))
    batch = build([(*place, 4.0, 1.0)], hu, rotation=matrix, zoom=[zoom], symmetry=SYMMETRIES[number : number + 1])
    patch, _, findings = move(batch, window - 2 * ((window - size) // 2))
    center = findings[0, 0, :3].numpy()
    half = (patch.shape[1] - 1) / 2
    # a centre of mass needs the whole spot
    assume(np.abs(center).max() <= half - 6.5 * zoom)
    weights = patch[0].double().numpy()
    grids = np.meshgrid(*[np.arange(patch.shape[1]) - half] * 3, indexing="ij")
    found = [float((grid * weights).sum() / weights.sum()) for grid in grids]
    np.testing.assert_allclose(found, center, atol=0.05)


@given(_findings, st.integers(2, 9))
def test_masks_hold_three_values_and_no_nodule_is_lost(findings, size):
    batch = build(findings, ramp(size))
    mask = paint_masks(batch.findings_BK5, (size,) * 3, MM)[0]
    assert set(mask.unique().tolist()) <= {0, NODULE, IGNORED}
    for z, y, x, _, kind in findings:
        nearest = [round(value + (size - 1) / 2) for value in (z, y, x)]
        if kind == NODULE and all(0 <= index < size for index in nearest):
            assert mask[tuple(nearest)] == NODULE
