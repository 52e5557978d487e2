"""One training step: augment, forward and backward in parts, clip, move the weights."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from lungpipe.models import Hardware, apply_network
from lungpipe.sampling.batch import Batch
from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training.augment import TrainingPatches, augment
from lungpipe.training.distributed import processes, sum_gradients, sum_over_processes
from lungpipe.training.objective import Objective
from lungpipe.training.optimiser import Optimisers


class TrainingStep:
    """Takes training steps of one network; no step waits for the device.

    `patch_and_seed` are the side of a patch (voxels) and the training's seed.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        training: TrainingSettings,
        hardware: Hardware,
        *,
        patch_and_seed: tuple[int, int],
    ) -> None:
        self.network, self.objective, self.training, self.hardware = network, objective, training, hardware
        self.patch_size_vox, self.seed = patch_and_seed

    def take(self, batch: Batch, index: int, optimiser: Optimisers) -> Tensor:
        """Train on the batch of the step with this index; return its loss and gradient norm (2,), on the device.

        The loss is this process's part; the norm is that of the whole gradient before clipping.
        """
        self.network.train()
        torch.manual_seed(seed_of(self.seed, index, processes().rank))
        patches = augment(batch.to(self.hardware.device), self.training.augmentation, self.patch_size_vox)
        optimiser.zero_grad()
        parts = list(split(patches, self.training.micro_batch_size))
        counts = self._counts_of_whole_batch(patches, len(parts))
        losses = [self._backward(part, counts) for part in parts]
        sum_gradients(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.training.gradient_limit)
        optimiser.step()
        return torch.stack([torch.stack(losses).sum(), norm])

    def _backward(self, patches: TrainingPatches, counts: Tensor | None) -> Tensor:
        with self.hardware.autocast():
            outputs = apply_network(self.network, patches.hu_BCZYX, patches.labels.get("diameter_mm"))
        loss = self.objective.loss(outputs, patches, counts)
        torch.autograd.backward(loss)
        return loss.detach()

    def _counts_of_whole_batch(self, patches: TrainingPatches, num_parts: int) -> Tensor | None:
        """Return the denominators of the loss over all parts and processes; None for one part and one process."""
        if num_parts == 1 and processes().world_size == 1:
            return None
        return sum_over_processes(self.objective.counts(patches))


def split(patches: TrainingPatches, size: int | None) -> Iterator[TrainingPatches]:
    """Yield views of at most `size` consecutive patches; None yields all patches at once."""
    number = len(patches.weight_B)
    if size is None or size >= number:
        yield patches
        return
    for first in range(0, number, size):
        part = slice(first, first + size)
        changed: dict[str, object] = {}
        for field in fields(patches):
            value = getattr(patches, field.name)
            if isinstance(value, Tensor):
                changed[field.name] = value[part]
            elif isinstance(value, dict):
                changed[field.name] = {name: tensor[part] for name, tensor in value.items()}
        yield replace(patches, **changed)  # type: ignore[arg-type]


def seed_of(*numbers: int) -> int:
    """Return one seed for torch's generators from several whole numbers; nearby numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
