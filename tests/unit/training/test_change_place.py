"""Symmetries, rotation and zoom: voxels and findings move alike, about the centre, in millimetres."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from lungpipe.sampling.batch import NODULE, Batch
from lungpipe.sampling.draws import SYMMETRIES, rotation_matrices
from lungpipe.sampling.targets import paint_masks
from lungpipe.training.change_place import crop, move, source_index, to_patch, turn

MM = (1.0, 1.0, 1.0)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def build(hu, findings=(), *, spacing=MM, mask=None, device="cpu", **draws):
    """A batch of windows (B, W, W, W) with the same findings in each."""
    hu = torch.as_tensor(np.asarray(hu), device=device)
    rows = torch.tensor([list(findings)] * len(hu), dtype=torch.float32, device=device).reshape(len(hu), -1, 5)
    drawn = {name: torch.as_tensor(np.asarray(value, np.float32), device=device) for name, value in draws.items()}
    mask = None if mask is None else torch.as_tensor(np.asarray(mask), device=device)
    ones = torch.ones(len(hu), device=device)
    return Batch(hu.to(torch.int16), mask, rows, {}, ones, drawn, spacing, np.arange(len(hu)), ("1.1",) * len(hu))


def flipped(matrix, cube):
    """The same symmetry by numpy: transpose, then flip."""
    axes = np.abs(matrix).argmax(axis=1)
    return np.flip(cube.transpose(axes), np.flatnonzero(matrix.sum(axis=1) < 0))


def rotation(axis, degrees):
    return rotation_matrices(np.array([axis], float), np.deg2rad([degrees]))


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_all_48_symmetries_are_those_of_numpy(size, device):
    cube = np.arange(size**3, dtype=np.int16).reshape(size, size, size)
    index = source_index(torch.as_tensor(SYMMETRIES, dtype=torch.float32, device=device), size)
    turned = turn(torch.as_tensor(np.stack([cube] * 48), device=device), index).cpu().numpy()
    for matrix, found in zip(SYMMETRIES, turned, strict=True):
        np.testing.assert_array_equal(found, flipped(matrix, cube))


def test_one_symmetry_by_hand():
    # z comes from -y, y from x, x from z
    matrix = np.array([[[0.0, -1, 0], [0, 0, 1], [1, 0, 0]]])
    hu = np.zeros((1, 3, 3, 3))
    hu[0, 0, 1, 2] = 7
    moved, mask, findings = move(build(hu, [(-1.0, 0.0, 1.0, 4.0, NODULE)], symmetry=matrix), 3)
    assert (moved[0] == 7).nonzero().tolist() == [[1, 2, 0]]
    assert findings[0, 0].tolist() == [0.0, 1.0, -1.0, 4.0, NODULE]
    assert mask is None
    assert moved.dtype == torch.float32


def test_voxels_that_are_no_cubes_are_only_flipped():
    matrix = np.array([[[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]]])
    cube = np.arange(27).reshape(1, 3, 3, 3)
    moved, _, findings = move(build(cube, [(2.0, 3.0, 4.0, 4.0, 1)], symmetry=matrix, spacing=(2.0, 1.0, 1.0)), 3)
    np.testing.assert_array_equal(moved[0], cube[0][::-1, :, ::-1])
    assert findings[0, 0].tolist() == [-2.0, 3.0, -4.0, 4.0, 1.0]


def test_a_mask_moves_with_its_window_and_padding_stays_padding():
    cube = np.arange(2 * 64).reshape(2, 4, 4, 4)
    batch = build(
        cube, [(1.0, 0, 0, 3.0, 1), (0, 0, 0, 0, 0)], mask=(cube % 2).astype(np.uint8), symmetry=SYMMETRIES[[17, 40]]
    )
    hu, mask, findings = move(batch, 4)
    assert torch.equal(mask, (hu % 2).to(torch.uint8))
    assert not findings[:, 1].any()
    assert not torch.equal(hu, batch.hu_BZYX.float())


def test_nothing_drawn_changes_nothing():
    cube = np.arange(2 * 64).reshape(2, 4, 4, 4)
    hu, _, findings = move(build(cube, [(1.0, 2.0, 0.5, 3.0, 1)]), 4)
    np.testing.assert_array_equal(hu, cube)
    assert findings[1, 0].tolist() == [1.0, 2.0, 0.5, 3.0, 1.0]
    assert to_patch(None, None, None) is None


def test_a_margin_is_cut_off_evenly():
    cube = np.arange(6**3).reshape(1, 6, 6, 6)
    np.testing.assert_array_equal(crop(torch.as_tensor(cube), 2), cube[:, 2:4, 2:4, 2:4])
    hu, _, findings = move(build(cube, [(1.0, 2.0, 0.5, 3.0, 1)], symmetry=SYMMETRIES[:1]), 2)
    np.testing.assert_array_equal(hu, cube[:, 2:4, 2:4, 2:4])
    assert findings[0, 0, :3].tolist() == [1.0, 2.0, 0.5]


def test_a_quarter_turn_about_each_axis_is_the_exact_symmetry(device):
    rng = np.random.default_rng(0)
    cube = rng.integers(-1000, 400, (1, 9, 9, 9))
    finding = [(3.0, -2.0, 1.0, 4.0, 1)]
    for axis, (a, b) in enumerate(((1, 2), (2, 0), (0, 1))):
        matrix = rotation(np.eye(3)[axis], 90)
        hu, _, findings = move(build(cube, finding, rotation=matrix, device=device), 9)
        # the first axis of the pair turns towards the second
        expected = np.rot90(cube[0], axes=(a, b))
        np.testing.assert_allclose(hu[0].cpu(), expected, atol=0.02)
        place = np.array(finding[0][:3])
        there = place.copy()
        there[b], there[a] = place[a], -place[b]
        np.testing.assert_allclose(findings[0, 0, :3].cpu(), there, atol=1e-5)


def test_a_rotation_in_voxels_that_are_no_cubes_is_one_in_millimetres(device):
    # voxels of 2 x 1 x 1 mm: a quarter turn about x takes 2 mm along z to 2 mm along y, one voxel to two
    hu = np.full((1, 9, 9, 9), -1000)
    hu[0, 5, 4, 4] = 1000
    matrix = rotation((0, 0, 1), 90)
    moved, _, findings = move(
        build(hu, [(2.0, 0, 0, 4.0, 1)], rotation=matrix, spacing=(2.0, 1.0, 1.0), device=device), 9
    )
    np.testing.assert_allclose(findings[0, 0, :3].cpu(), [0, 2.0, 0], atol=1e-6)
    assert np.unravel_index(int(moved[0].argmax()), (9, 9, 9)) == (4, 6, 4)
    assert float(moved[0].max()) == pytest.approx(1000, abs=0.1)


def test_zoom_enlarges_about_the_centre(device):
    # 1.5 times: what lay 2 voxels away lies 3 away; 1 away lies 1.5 away, between two voxels
    hu = np.zeros((1, 9, 9, 9))
    hu[0, 4, 4, 6] = 900
    moved, _, findings = move(build(hu, [(0, 0, 2.0, 4.0, 1), (0, 0, 0, -1.0, 2)], zoom=[1.5], device=device), 9)
    assert float(moved[0, 4, 4, 7]) == pytest.approx(900, abs=0.01)
    # one voxel on is 2/3 voxel in the window
    assert float(moved[0, 4, 4, 8]) == pytest.approx(300, abs=0.1)
    assert findings[0].tolist() == [[0, 0, 3.0, 6.0, 1.0], [0, 0, 0, 15.0, 2.0]]


def test_rotation_comes_after_the_symmetry_and_zoom_last():
    flip, turned = np.diag([-1.0, 1, 1])[None], rotation((1, 0, 0), 90)
    as_tensor = [torch.as_tensor(value, dtype=torch.float32) for value in (flip, turned, np.array([2.0]))]
    matrix = to_patch(*as_tensor)[0]
    np.testing.assert_allclose(matrix @ torch.tensor([1.0, 1.0, 0.0]), [-2.0, 0.0, 2.0], atol=1e-6)
    assert torch.allclose(to_patch(None, None, as_tensor[2])[0], 2 * torch.eye(3))


@pytest.mark.parametrize("degrees", [0.0, 13.0, 50.0])
def test_voxels_are_those_of_scipys_linear_interpolation(degrees, device):
    rng = np.random.default_rng(1)
    window = ndimage.gaussian_filter(rng.normal(0, 900, (15, 15, 15)), 1).astype(np.int16)
    axis = np.array([1.0, 2.0, -1.0]) / np.sqrt(6)
    matrix, zoom, spacing = rotation(axis, degrees), 1.1, np.array([1.25, 1.0, 0.8])
    hu, _, _ = move(build(window[None], rotation=matrix, zoom=[zoom], spacing=tuple(spacing), device=device), 7)
    inverse = (np.linalg.inv(zoom * matrix[0]) * spacing) / spacing[:, None]
    middle = np.array([7.0, 7.0, 7.0])
    expected = ndimage.affine_transform(window.astype(float), inverse, middle - inverse @ [3, 3, 3], (7, 7, 7), order=1)
    np.testing.assert_allclose(hu[0].cpu(), expected, atol=0.2)


def overlaps(one, two):
    """Dice of each patch."""
    return 2 * (one & two).sum(dim=(1, 2, 3)) / (one.sum(dim=(1, 2, 3)) + two.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("size", [20, 21])
def test_a_ball_lies_where_its_finding_says(size, device):
    """Off by a quarter of a millimetre, by a sign or by an axis, ball and finding would overlap less."""
    rng = np.random.default_rng(2)
    window, batch, spacing = size + 16, 12, (1.25, 1.0, 0.8)
    axes = [(np.arange(window) - (window - 1) / 2) * s for s in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    distance = np.sqrt((z - 4.0) ** 2 + (y + 3.0) ** 2 + (x - 1.5) ** 2)
    # HU fall off linearly from the surface, so that interpolation keeps the surface at 0 HU
    hu = np.stack([np.clip(1000 * (4.5 - distance), -3000, 3000)] * batch)
    vectors = rng.normal(size=(batch, 3))
    draws = {
        "rotation": rotation_matrices(vectors / np.linalg.norm(vectors, axis=1)[:, None], rng.uniform(-3, 3, batch)),
        "zoom": rng.uniform(0.9, 1.1, batch),
        "symmetry": SYMMETRIES[rng.integers(0, 48, batch)],
    }
    mask, finding = (hu > 0).astype(np.uint8), (4.0, -3.0, 1.5, 9.0, NODULE)
    moving = build(hu, [finding], mask=mask, spacing=spacing, device=device, **draws)
    moved, mask, findings = move(moving, size)
    painted = paint_masks(findings, (size,) * 3, spacing) == NODULE
    assert float(overlaps(moved > 0, painted).min()) > 0.975
    # a mask of whole voxels loses its corners
    assert float(overlaps(mask > 0, painted).mean()) > 0.94
    shift = torch.tensor([0.25, 0.25, 0.25, 0, 0], device=device)
    _, _, wrong = move(replace(moving, findings_BK5=moving.findings_BK5 + shift), size)
    assert float(overlaps(moved > 0, paint_masks(wrong, (size,) * 3, spacing) == NODULE).mean()) < 0.94
