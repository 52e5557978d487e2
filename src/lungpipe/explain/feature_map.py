"""The last feature map of a scorer for one patch, its gradients, and where its elements lie in the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lungpipe.models import apply_network

Output = Literal["nodule", "malignancy"]
OUTPUTS: tuple[Output, ...] = ("nodule", "malignancy")
Triple = tuple[float, float, float]
_STRIDED = (nn.Conv3d, nn.MaxPool3d, nn.AvgPool3d)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the elements of a map are in an input: element o of an axis has its middle at voxel `scale` o + `offset`.

    Both are in zyx order, in voxels of the input of the first convolution.
    """

    scale: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)

    def behind(self, stride: Triple, shift: Triple) -> "Alignment":
        """Return the alignment of a layer's output, whose element o is at element `stride` o + `shift` of this map."""
        z, y, x = (a * s for a, s in zip(self.scale, stride, strict=True))
        low, mid, high = (a * s + b for a, s, b in zip(self.scale, shift, self.offset, strict=True))
        return Alignment((z, y, x), (low, mid, high))


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """Activations and gradients of a logit (both C, z, y, x) of one patch, the alignment, and the logit's value."""

    activations: Tensor
    gradients: Tensor
    alignment: Alignment
    input_shape: tuple[int, int, int]
    logit: float


def last_feature_map(
    network: nn.Module, hu_BCZYX: Tensor, output: Output, diameter_mm_B: Tensor | None = None
) -> FeatureMap:
    """Return the last feature map that an output of a scorer depends on, for one patch (1, 1, Z, Y, X) of HU.

    The last feature map is that of the last convolution on the way to the output, together with the layers behind this
    convolution that keep its resolution: normalisation, ReLU, and the sum with a shortcut. Pooling ends the map. The
    weights of the network stay as they are.

    Raises:
        ValueError: no such output; no convolution on the way to the output; more than one patch.
    """
    if len(hu_BCZYX) != 1:
        raise ValueError(f"patches: expected one, found {len(hu_BCZYX)}")
    steps: list[_Step] = []
    handles = [module.register_forward_hook(_recorder(steps)) for module in _scoring_modules(network)]
    try:
        with torch.enable_grad():
            hu = hu_BCZYX.detach().to(torch.float32, copy=True).requires_grad_(True)
            heads = apply_network(network, hu, diameter_mm_B)
    finally:
        for handle in handles:
            handle.remove()
    if output not in heads:
        raise ValueError(f"output: expected one of {', '.join(sorted(heads))}, found {output!r}")
    logit = heads[output].sum()
    # a ReLU in place changes the recorded output of the layer before, which then is the ReLU's output
    gradients = torch.autograd.grad(logit, [step.output for step in steps], allow_unused=True)
    number = _choose(steps, gradients)
    chosen, gradient = steps[number], gradients[number]
    if gradient is None:
        raise ValueError(f"output {output}: expected a convolution on the way to the output, found none")
    first = next(step for step in steps if isinstance(step.module, nn.Conv3d)).input_shape
    return FeatureMap(
        chosen.output[0].detach(), gradient[0], _align(steps, first, chosen), first, float(logit.detach())
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One layer of a forward pass: the module, the sides (zyx) of its input, and its output (1, C, z, y, x)."""

    module: nn.Module
    input_shape: tuple[int, int, int]
    output: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.output.shape[2:]
        return (int(z), int(y), int(x))


def _scoring_modules(network: nn.Module) -> list[nn.Module]:
    """Return the modules behind the first layer, in which a detector may compute a mask with its own convolutions."""
    intensity = getattr(network, "intensity", None)
    first = set(intensity.modules()) if isinstance(intensity, nn.Module) else set()
    return [module for module in network.modules() if module is not network and module not in first]


def _recorder(steps: list[_Step]) -> Any:
    def record(module: nn.Module, inputs: Sequence[Any], output: Any) -> None:
        given = inputs[0] if inputs else None
        if isinstance(output, Tensor) and output.dim() == 5 and isinstance(given, Tensor) and given.dim() == 5:
            z, y, x = (int(side) for side in given.shape[2:])
            steps.append(_Step(module, (z, y, x), output))

    return record


def _choose(steps: Sequence[_Step], gradients: Sequence[Tensor | None]) -> int:
    """Return the number of the step whose output is the last feature map."""
    is_used = [gradient is not None for gradient in gradients]
    convolutions = [n for n, step in enumerate(steps) if isinstance(step.module, nn.Conv3d) and is_used[n]]
    if not convolutions:
        raise ValueError("network: expected a convolution on the way to the output, found none")
    last = convolutions[-1]
    number = last
    for later in range(last + 1, len(steps)):
        if is_used[later] and steps[later].shape == steps[last].shape and not _is_pool(steps[later].module):
            number = later
    return number


def _is_pool(module: nn.Module) -> bool:
    return isinstance(module, nn.AdaptiveAvgPool3d | nn.MaxPool3d | nn.AvgPool3d)


def _align(steps: Sequence[_Step], first: tuple[int, int, int], chosen: _Step) -> Alignment:
    """Return the alignment of the chosen map; parallel layers (shortcuts) share that of the main path."""
    known = {first: Alignment()}
    for step in steps:
        if isinstance(step.module, _STRIDED) and step.input_shape in known and step.shape not in known:
            stride, kernel, padding, dilation = (
                _triple(getattr(step.module, name)) for name in ("stride", "kernel_size", "padding", "dilation")
            )
            shift = [d * (k - 1.0) / 2.0 - p for k, p, d in zip(kernel, padding, dilation, strict=True)]
            known[step.shape] = known[step.input_shape].behind(stride, _triple(shift))
    if chosen.shape not in known:
        found = f"the shape {chosen.shape} from {first}"
        raise ValueError(f"feature map: expected one of known position in the patch, found {found}")
    return known[chosen.shape]


def _triple(value: Any) -> Triple:
    z, y, x = (value, value, value) if isinstance(value, int | float) else value
    return (float(z), float(y), float(x))
