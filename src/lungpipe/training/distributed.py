"""Distributed training: torchrun starts several processes, each with its rows of every batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Processes:
    """Rank of this process and number of processes."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0


def processes() -> Processes:
    """Return the rank and number of the processes that train together; (0, 1) for a single process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Processes()
    return Processes(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started until the context ends; without torchrun change nothing.

    gloo connects processes on CPUs, NCCL processes on GPUs. Each process uses the GPU of its LOCAL_RANK.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield processes()
    finally:
        distributed.destroy_process_group()


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; with one process the tensor itself."""
    if processes().world_size == 1:
        return values
    summed = values.clone()
    distributed.all_reduce(summed)
    return summed


def sum_gradients(network: nn.Module) -> None:
    """Replace every gradient by its sum over all processes, in one message."""
    if processes().world_size == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(message)
    parts = torch.split(message, [gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [p.view(g.shape) for p, g in zip(parts, gradients, strict=True)])


def wait_for_all() -> None:
    """Wait until every process has called this function."""
    if processes().world_size > 1:
        distributed.barrier()
