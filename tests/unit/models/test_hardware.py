"""Device, precision, threads, memory format."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from lungpipe.models import Hardware, build_network, choose_hardware, describe_hardware
from lungpipe.models.hardware import name_hardware
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import ResNetSettings


@pytest.fixture(autouse=True)
def threads():
    """Leave torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_forward_pass_computes_in_the_chosen_precision(precision, expected):
    hardware = choose_hardware(ComputeSettings(device="cpu", precision=precision), 1)
    assert hardware == Hardware(torch.device("cpu"), expected)
    with hardware.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


def test_threads_and_determinism_are_set():
    choose_hardware(ComputeSettings(device="cpu"), 1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    # which otherwise fills all new memory with NaN
    assert not torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("memory_format", [torch.channels_last_3d, torch.contiguous_format])
def test_a_network_is_placed_in_the_memory_format_and_keeps_its_weights(memory_format):
    network = build_network(ResNetSettings(channels=(4, 8)))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    placed = Hardware(torch.device("cpu"), torch.float32, memory_format).place(network)
    assert placed is network
    assert network.stages[1].first[0].weight.is_contiguous(memory_format=memory_format)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    features = network.stages(network.intensity(torch.zeros(2, 1, 8, 8, 8)))
    assert features.is_contiguous(memory_format=memory_format)


def test_channels_last_is_the_rule():
    assert choose_hardware(ComputeSettings(device="cpu"), 1).memory_format == torch.channels_last_3d


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a CUDA device")
def test_cuda_that_is_not_there_is_refused_and_auto_does_without():
    with pytest.raises(RuntimeError, match=r"compute\.device: expected a CUDA device .* found none"):
        choose_hardware(ComputeSettings(device="cuda"), 1)
    assert choose_hardware(ComputeSettings(device="auto"), 1).device.type == "cpu"


def test_a_user_names_the_hardware(monkeypatch):
    assert name_hardware("cpu", 1).device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    for name, device in (("gpu", "cuda:0"), ("gpu:0", "cuda:0"), ("gpu:1", "cuda:1"), ("auto", "cuda")):
        hardware = name_hardware(name, 1)
        assert (hardware.device, hardware.dtype) == (torch.device(device), torch.bfloat16)
    with pytest.raises(ValueError, match="device: expected a GPU for 'gpu:2', found 2 on this machine"):
        name_hardware("gpu:2", 1)
    monkeypatch.undo()
    # the CPU's mode refuses what is not deterministic, the GPU's only warns
    name_hardware("cpu", 1)
    assert torch.get_deterministic_debug_mode() == 2


@pytest.mark.parametrize("name", ["", "cuda", "gpu:", "gpu:-1", "GPU:0", "gpu:0 "])
def test_other_names_of_hardware_are_refused(name):
    with pytest.raises(ValueError, match="device: expected auto, cpu or gpu:<number>"):
        name_hardware(name, 1)


@pytest.mark.parametrize(
    "limit", [{"ATEN_CPU_CAPABILITY": "avx2"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}]
)
def test_a_limited_instruction_set_computes_in_float32(limit):
    code = """
        from lungpipe.models import choose_hardware
        from lungpipe.settings import ComputeSettings
        print(choose_hardware(ComputeSettings(device="cpu"), 1).dtype)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    answer = subprocess.run(command, env=os.environ | limit, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "torch.float32"


def test_hardware_is_described_as_it_computes(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    facts = describe_hardware(choose_hardware(ComputeSettings(device="cpu"), 1))
    assert facts["device"].startswith("cpu (")
    assert (facts["precision"], facts["threads"]) == ("float32", "1")
    assert facts["instructions"].startswith(torch.backends.cpu.get_cpu_capability())
    assert facts["instructions"].endswith("(oneDNN limited to AVX2)")
