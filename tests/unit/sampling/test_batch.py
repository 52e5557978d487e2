"""A batch moves and is split as a whole."""

import numpy as np
import pytest
import torch

from lungpipe.sampling.batch import Batch


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def build(size, *, has_mask=True):
    numbers = torch.arange(size, dtype=torch.float32)
    cubes = torch.arange(size, dtype=torch.int16)[:, None, None, None].expand(size, 2, 2, 2).contiguous()
    return Batch(
        hu_BZYX=cubes,
        mask_BZYX=cubes.to(torch.uint8) if has_mask else None,
        findings_BK5=numbers[:, None, None].expand(size, 3, 5).contiguous(),
        labels={"is_nodule": numbers + 0.5},
        weight_B=numbers + 0.25,
        draws={"zoom": numbers + 0.125, "cutout_place": numbers[:, None].expand(size, 3).contiguous()},
        spacing_zyx_mm=(1.0, 1.0, 1.0),
        rows=np.arange(size) + 10,
        series=tuple(f"1.{row}" for row in range(size)),
    )


def belongs_to(batch, rows):
    """Whether every part of the batch holds the values of these rows."""
    numbers = torch.tensor(rows, dtype=torch.float32)
    assert batch.hu_BZYX[:, 1, 1, 1].tolist() == rows
    assert batch.findings_BK5[:, 2, 4].tolist() == rows
    assert torch.equal(batch.labels["is_nodule"].cpu(), numbers + 0.5)
    assert torch.equal(batch.weight_B.cpu(), numbers + 0.25)
    assert torch.equal(batch.draws["zoom"].cpu(), numbers + 0.125)
    assert batch.draws["cutout_place"][:, 2].tolist() == rows
    assert batch.rows.tolist() == [row + 10 for row in rows]
    assert batch.series == tuple(f"1.{row}" for row in rows)
    assert batch.mask_BZYX is None or batch.mask_BZYX[:, 0, 1, 0].tolist() == rows
    return len(batch) == len(rows)


def test_split_cuts_every_part_alike():
    parts = list(build(5).split(2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert all(belongs_to(part, rows) for part, rows in zip(parts, ([0, 1], [2, 3], [4]), strict=True))


def test_without_a_size_there_is_one_part():
    (whole,) = build(3, has_mask=False).split(None)
    assert belongs_to(whole, [0, 1, 2])
    assert whole.mask_BZYX is None


def test_a_size_below_one_is_refused():
    with pytest.raises(ValueError, match="micro_batch_size: expected at least 1, found 0"):
        list(build(3).split(0))


def test_to_moves_every_tensor(device):
    moved = build(4).to(device)
    tensors = [moved.hu_BZYX, moved.mask_BZYX, moved.findings_BK5, moved.weight_B]
    tensors += [*moved.labels.values(), *moved.draws.values()]
    assert {tensor.device.type for tensor in tensors} == {device.type}
    assert belongs_to(moved, [0, 1, 2, 3])
    assert (moved.hu_BZYX.dtype, moved.mask_BZYX.dtype) == (torch.int16, torch.uint8)


@pytest.mark.gpu
def test_pinned_batches_stay_pinned_and_whole():
    pinned = build(4).pinned()
    assert pinned.hu_BZYX.is_pinned()
    assert pinned.draws["zoom"].is_pinned()
    assert pinned.pinned().hu_BZYX.data_ptr() == pinned.hu_BZYX.data_ptr()
    assert belongs_to(pinned, [0, 1, 2, 3])
