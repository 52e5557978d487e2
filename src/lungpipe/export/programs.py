"""A model as programs for other software: TorchScript, torch.export and ONNX, each compared with the model itself."""

import copy
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lungpipe.bundles import BundleError, TensorFacts
from lungpipe.bundles.manifest import ProgramKind
from lungpipe.export.fixed_pooling import fix_pooling
from lungpipe.export.range_order import sort_ranges
from lungpipe.export.source_lines import remove_source_lines, without_source_lines
from lungpipe.inference.detector import trained_heads
from lungpipe.models import Model, apply_network, takes_diameter
from lungpipe.models.intensity import Intensity
from lungpipe.models.masked_rating_net import MaskedIntensity

ENDINGS: Mapping[ProgramKind, str] = {"torchscript": "torchscript.pt", "torch_export": "pt2", "onnx": "onnx"}
LARGEST_DIFFERENCE = 1e-3
"""A program whose logits differ by more from the model's is not delivered; rounding alone gives about 1e-5."""
MAX_BATCH, MAX_TILES = 64, 128
"""Limits of the free sizes of a program: patches, and multiples of the stride along an axis."""
HU_RANGE = (-1100.0, 1500.0)
SEED = 16
MEANINGS = {
    "heatmap": "logit of a nodule's centre in each coarse voxel",
    "offset": "centre of the nodule from the middle of the coarse voxel, voxels (z, y, x)",
    "diameter": "log(diameter / 10 mm)",
    "mask": "logit of a nodule in each voxel",
    "nodule": "logit of a nodule in the middle of the patch",
    "malignancy": "logit of a malignant nodule, given a nodule, before the card's calibration",
    "ratings": "logits of the ratings 1 to 6 of the nine characteristics of LIDC-IDRI, given a nodule",
    "place": "y and x of the nodule from the middle of the patch, voxels",
}


@dataclass(frozen=True, slots=True, eq=False)
class Programs:
    """The programs of a model by kind, their inputs and outputs, and by output the largest difference of each."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    contents: Mapping[ProgramKind, bytes]
    differences: Mapping[ProgramKind, Mapping[str, float]]


class _Mean(nn.Module):
    """The mean of the members' logits, float32, in a fixed order of the heads.

    Members have the same settings, so the first layer (HU to intensity) is computed once for all. ONNX's optimizer also
    merges equal first layers, and then leaves uses of a layer that it removed (onnxscript 0.7.2). Where scorers see a
    detector's mask, the detector is a part of the first layer: all members must have the same.
    """

    def __init__(self, members: Sequence[nn.Module], heads: Sequence[str]) -> None:
        """Copy the members."""
        super().__init__()
        self.members, self.heads = nn.ModuleList(copy.deepcopy(member) for member in members), tuple(heads)
        self.intensity = _share_windows(cast("nn.Module", self.members[0].intensity))
        for member in self.members:
            member.intensity = nn.Identity()
        fix_pooling(self)

    def forward(self, hu_BCZYX: Tensor, diameter_mm_B: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the logits of each head."""
        intensity = self.intensity(hu_BCZYX)
        outputs = [apply_network(member, intensity, diameter_mm_B) for member in self.members]
        return tuple(torch.stack([output[head].float() for output in outputs]).mean(dim=0) for head in self.heads)


class _SharedWindows(nn.Module):
    """First layer of a scorer whose detector has the same windows: computed once, as ONNX's optimizer demands."""

    def __init__(self, first: MaskedIntensity) -> None:
        super().__init__()
        self.windows, self.mask = first.windows, first.mask
        self.mask.network.intensity = nn.Identity()

    def forward(self, hu_BCZYX: Tensor) -> Tensor:
        """Return the windows and the mask, (B, windows + 1, Z, Y, X)."""
        windows = self.windows(hu_BCZYX)
        return torch.cat([windows, self.mask(windows)], dim=1)


def _share_windows(first: nn.Module) -> nn.Module:
    """Return the first layer with the detector's windows computed once, where scorer and detector have the same."""
    if not isinstance(first, MaskedIntensity):
        return first
    own, other = first.windows, cast("Intensity", first.mask.network.intensity)
    pairs = ((own.low_hu, other.low_hu), (own.high_hu, other.high_hu))
    is_same = own.normalisation == other.normalisation and all(torch.equal(*pair) for pair in pairs)
    return _SharedWindows(first) if is_same else first


def make_programs(model: Model, name: str) -> Programs:
    """Return a model's programs; `name` stands for the model in messages.

    All take HU (float32, B, 1, Z, Y, X). A detector's sides are free multiples of its stride, a scorer's are those of
    its patches. A scorer that takes diameters has a second input, mm (B), NaN where unknown. Each program computes
    other values than it was traced with, and the largest difference from the model is measured.

    Raises:
        BundleError: onnx is not installed, scorers see masks of different detectors, or a program differs by more than
            LARGEST_DIFFERENCE.
    """
    if missing := [package for package in ("onnx", "onnxscript", "onnxruntime") if find_spec(package) is None]:
        raise BundleError(f"{name}: expected the extra bundle (pip install -e '.[bundle]'), found no {missing[0]}")
    _require_one_first_layer(model.members, name)
    heads = sorted(trained_heads(model.card.part))
    network = _Mean(model.members, heads).eval()
    traced, tested = (_examples(model, count) for count in (2, 3))
    shapes = _free_sizes(model, traced)
    with torch.no_grad(), _quiet(), torch.random.fork_rng(devices=[]):
        expected = _mean_logits(model, tested, heads)
        exported = torch.export.export(network, traced, dynamic_shapes=shapes)
        remove_source_lines(exported)
        sort_ranges(exported)
        contents: dict[ProgramKind, bytes] = {
            "torchscript": _torchscript(network, traced),
            "torch_export": _exported(exported),
            "onnx": _onnx(exported, _input_names(traced), heads),
        }
        differences = {kind: _differences(_RUN[kind](contents[kind], tested), expected) for kind in contents}
    for kind, found in differences.items():
        head = max(found, key=lambda one: found[one])
        if not found[head] <= LARGEST_DIFFERENCE:
            expected_text = f"the model's logits within {LARGEST_DIFFERENCE:g}"
            raise BundleError(f"{name}: {kind}: {head}: expected {expected_text}, found {found[head]:.3g} away")
    return Programs(_inputs(model, traced), _outputs(expected, heads, tested[0].shape[2]), contents, differences)


def _require_one_first_layer(members: Sequence[nn.Module], name: str) -> None:
    """Raise BundleError unless the weights of the members' first layers are equal; most first layers have none."""
    states = [cast("nn.Module", member.intensity).state_dict() for member in members]
    if not all(torch.equal(tensor, state[key]) for state in states[1:] for key, tensor in states[0].items()):
        expected = "scorers that see the mask of one detector"
        raise BundleError(f"{name}: expected {expected}, found members with different detectors: bundle one fold")


def _mean_logits(model: Model, inputs: tuple[Tensor, ...], heads: Sequence[str]) -> dict[str, Tensor]:
    """Return what the programs must compute, by the networks as they are in Python."""
    outputs = [apply_network(member, inputs[0], inputs[1] if inputs[1:] else None) for member in model.members]
    return {head: torch.stack([output[head].float() for output in outputs]).mean(dim=0) for head in heads}


def _examples(model: Model, batch: int) -> tuple[Tensor, ...]:
    """Return inputs of a batch: HU of coarse random lumps, and diameters of which one is unknown."""
    generator = torch.Generator().manual_seed(SEED + batch)
    if model.card.role == "detector":
        stride = _stride(model)
        sides = [stride * (batch + place) for place in range(3)]
    else:
        sides = [int(model.card.settings["sampling"]["patch_size_vox"])] * 3
    coarse = torch.rand((batch, 1, *(side // 4 + 1 for side in sides)), generator=generator)
    low, high = HU_RANGE
    hu = torch.round(low + (high - low) * nn.functional.interpolate(coarse, size=sides, mode="trilinear"))
    if not takes_diameter(model.members[0]):
        return (hu,)
    diameters = 3.0 + 27.0 * torch.rand(batch, generator=generator)
    diameters[0] = torch.nan
    return hu, diameters


def _stride(model: Model) -> int:
    return max(cast("int", member.total_stride) for member in model.members)


def _free_sizes(model: Model, examples: Sequence[Tensor]) -> tuple[dict[int, object], ...]:
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    sizes: dict[int, object] = {0: batch}
    if model.card.role == "detector":
        stride = _stride(model)
        for axis, letter in zip((2, 3, 4), "zyx", strict=True):
            sizes[axis] = stride * torch.export.Dim(letter, min=1, max=MAX_TILES)
    # all parts of forward(hu, diameter=None) that are given
    return tuple(sizes if place == 0 else {0: batch} for place in range(len(examples)))


def _input_names(examples: Sequence[Tensor]) -> list[str]:
    return ["hu", "diameter_mm"][: len(examples)]


def _inputs(model: Model, examples: Sequence[Tensor]) -> tuple[TensorFacts, ...]:
    stride = _stride(model) if model.card.role == "detector" else 0
    free = [f"{stride} {letter}" for letter in "zyx"]
    sides: list[int | str] = [*free] if stride else list(examples[0].shape[2:])
    spacing = ", ".join(f"{step:g}" for step in model.card.spacing_zyx_mm)
    meanings = (f"HU of voxels of {spacing} mm (z, y, x)", "diameter of the candidate, mm; NaN where unknown")
    shapes: tuple[tuple[int | str, ...], ...] = (("batch", 1, *sides), ("batch",))
    return tuple(
        TensorFacts(name=name, shape=shape, meaning=meaning)
        for name, shape, meaning in zip(_input_names(examples), shapes, meanings, strict=False)
    )


def _outputs(values: Mapping[str, Tensor], heads: Sequence[str], side_vox: int) -> tuple[TensorFacts, ...]:
    """Return the outputs; `side_vox` is the first side (z) of the HU from which the values were computed."""

    def shape(value: Tensor) -> tuple[int | str, ...]:
        sides: list[int | str] = list(value.shape[1:])
        if value.dim() == 5:
            stride = side_vox // value.shape[2]
            sides[1:] = [letter if stride == 1 else f"{letter} / {stride}" for letter in "zyx"]
        return ("batch", *sides)

    return tuple(TensorFacts(name=head, shape=shape(values[head]), meaning=MEANINGS[head]) for head in heads)


def _torchscript(network: nn.Module, examples: tuple[Tensor, ...]) -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, examples, check_trace=False), stream)  # type: ignore[no-untyped-call]
    return without_source_lines(stream.getvalue())


def _exported(program: torch.export.ExportedProgram) -> bytes:
    program.example_inputs = None  # they would be part of the file
    stream = io.BytesIO()
    torch.export.save(program, stream)
    return stream.getvalue()


def _onnx(program: torch.export.ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    onnx = torch.onnx.export(
        program, dynamo=True, input_names=list(inputs), output_names=list(outputs), optimize=True, verbose=False
    )
    with tempfile.TemporaryDirectory(prefix="lungpipe-") as folder:
        path = Path(folder) / "model.onnx"
        cast("torch.onnx.ONNXProgram", onnx).save(path, external_data=False)
        return path.read_bytes()


def _run_torchscript(content: bytes, inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
    return cast("Sequence[Tensor]", torch.jit.load(io.BytesIO(content))(*inputs))  # type: ignore[no-untyped-call]


def _run_exported(content: bytes, inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
    return cast("Sequence[Tensor]", torch.export.load(io.BytesIO(content)).module()(*inputs))


def _run_onnx(content: bytes, inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    named = {one.name: value.numpy() for one, value in zip(session.get_inputs(), inputs, strict=True)}
    return [torch.from_numpy(value) for value in session.run(None, named)]


_RUN: Mapping[ProgramKind, Callable[[bytes, tuple[Tensor, ...]], Sequence[Tensor]]] = {
    "torchscript": _run_torchscript,
    "torch_export": _run_exported,
    "onnx": _run_onnx,
}
"""Programs that were made in this process are run to compare them; a program of a bundle is never run by lungpipe."""


def _differences(found: Sequence[Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    pairs = zip(expected.items(), found, strict=True)
    return {head: float((value - one).abs().max()) for (head, value), one in pairs}


@contextmanager
def _quiet() -> Iterator[None]:
    # TorchScript and the tracing of Python's checks warn at every call; ONNX says that it found no torchvision
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
