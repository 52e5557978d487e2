"""Programs for other software name no folder of the machine that wrote them, and compute the same."""

import io
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from lungpipe.export.source_lines import remove_source_lines, without_source_lines

HERE = str(Path(__file__).parent).encode()


class Net(nn.Module):
    """A convolution whose operations are noted with lines of this file."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv3d(1, 2, 3)

    def forward(self, hu):
        return nn.functional.gelu(self.inner(hu)) + 1.0


@pytest.fixture(scope="module")
def traced():
    torch.manual_seed(0)
    return Net().eval(), (torch.rand(1, 1, 5, 5, 5),)


def unpacked(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    return {name: archive.read(name) for name in archive.namelist()}


def test_torchscript_keeps_its_operations_and_their_version(traced):
    network, inputs = traced
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, inputs), stream)
    written, stripped = stream.getvalue(), without_source_lines(stream.getvalue())
    assert any(HERE in record for record in unpacked(written).values())
    records = unpacked(stripped)
    assert not any(HERE in record for record in records.values())
    [version] = [name for name in records if name.endswith("version")]
    assert records[version] == unpacked(written)[version]
    assert set(unpacked(written)) - set(records) == {name for name in unpacked(written) if name.endswith(".debug_pkl")}
    assert torch.equal(torch.jit.load(io.BytesIO(stripped))(*inputs), network(*inputs))


def test_an_exported_program_keeps_its_operations(traced):
    network, inputs = traced
    program = torch.export.export(network, inputs)
    kinds = [node.target for node in program.graph.nodes]
    assert any("test_source_lines" in node.meta.get("stack_trace", "") for node in program.graph.nodes)
    remove_source_lines(program)
    assert [node.target for node in program.graph.nodes] == kinds
    stream = io.BytesIO()
    torch.export.save(program, stream)
    assert not any(HERE in record for record in unpacked(stream.getvalue()).values())
    assert torch.equal(torch.export.load(io.BytesIO(stream.getvalue())).module()(*inputs), network(*inputs))
