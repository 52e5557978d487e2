"""Hardware of a training or inference job: device, precision, threads, memory layout."""

import os
import platform
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from lungpipe.settings import ComputeSettings

WITHOUT_BFLOAT16 = frozenset({"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"})
"""Values of ONEDNN_MAX_CPU_ISA that keep oneDNN from the processor's bfloat16 instructions."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Device, dtype of the forward pass, and the layout in memory of 5D weights and patches.

    With channels last, oneDNN and cuDNN need not reorder the data around every 3D convolution.
    """

    device: torch.device
    dtype: torch.dtype
    memory_format: torch.memory_format = torch.channels_last_3d

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass: autocast to bfloat16, or nothing for float32."""
        is_reduced = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if is_reduced else torch.bfloat16, enabled=is_reduced)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, its convolutions in the memory format; returns the same network."""
        return network.to(device=self.device, memory_format=self.memory_format)  # type: ignore[call-overload]


def choose_hardware(settings: ComputeSettings, num_threads: int) -> Hardware:
    """Resolve `auto` settings on this machine and set torch's number of threads.

    Raises:
        RuntimeError: `cuda` is set and there is no CUDA device.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("compute.device: expected a CUDA device for 'cuda', found none")
    name = "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(num_threads)
    # as use_deterministic_algorithms, which also imports the compiler: a second per job
    torch.set_deterministic_debug_mode("warn" if name == "cuda" else "error")
    # deterministic mode also fills all new memory with NaN, which takes 5 % of a training step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    is_reduced = settings.precision == "bfloat16" or (settings.precision == "auto" and has_native_bfloat16(name))
    return Hardware(torch.device(name), torch.bfloat16 if is_reduced else torch.float32)


def name_hardware(name: str, num_threads: int) -> Hardware:
    """Return the hardware that a user names: `auto`, `cpu`, `gpu` (the first one) or `gpu:<number>`.

    Raises:
        ValueError: another name, or a GPU that this machine does not have.
    """
    match = re.fullmatch(r"auto|cpu|gpu(?::(\d+))?", name)
    if match is None:
        raise ValueError(f"device: expected auto, cpu or gpu:<number>, found {name!r}")
    if not name.startswith("gpu"):
        return choose_hardware(ComputeSettings(device="cpu" if name == "cpu" else "auto"), num_threads)
    number, count = int(match[1] or 0), torch.cuda.device_count()
    if number >= count:
        raise ValueError(f"device: expected a GPU for {name!r}, found {count} on this machine")
    return replace(choose_hardware(ComputeSettings(device="cuda"), num_threads), device=torch.device("cuda", number))


def describe_hardware(hardware: Hardware) -> dict[str, str]:
    """Return what a job computes with: device, precision, threads of torch, and the processor's instruction set."""
    is_gpu = hardware.device.type == "cuda"
    name = torch.cuda.get_device_name(hardware.device) if is_gpu else processor_name()
    return {
        "device": f"{hardware.device} ({name})",
        "precision": str(hardware.dtype).removeprefix("torch."),
        "threads": str(torch.get_num_threads()),
        "instructions": instruction_set(),
    }


def processor_name() -> str:
    """Return the processor's name as Linux states it; elsewhere as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def instruction_set() -> str:
    """Return the instructions that torch uses on this processor, and those of the processor that multiply bfloat16."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    kinds = {"bfloat16": torch.cpu._is_avx512_bf16_supported(), "AMX": torch.cpu._is_amx_tile_supported()}
    names = [torch.backends.cpu.get_cpu_capability(), *(name for name, is_there in kinds.items() if is_there)]
    return ", ".join(names) + (f" (oneDNN limited to {limit})" if limit else "")


def has_native_bfloat16(device: str) -> bool:
    """Return whether the hardware multiplies bfloat16; emulated bfloat16 is slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.cpu.get_cpu_capability() == "AVX2" or os.environ.get("ONEDNN_MAX_CPU_ISA") in WITHOUT_BFLOAT16:
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
