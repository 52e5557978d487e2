"""Grad-CAM and HiResCAM: which elements of a feature map raise an output, in three dimensions.

Grad-CAM: Selvaraju et al., ICCV 2017. HiResCAM: Draelos and Carin, arXiv 2011.08891.
"""

from itertools import product
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungpipe.explain.feature_map import FeatureMap, Output, last_feature_map
from lungpipe.explain.frames import to_patch

FloatArray = NDArray[np.float32]
Method = Literal["gradcam", "hirescam"]
METHOD_NAMES: dict[Method, str] = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM"}


def weigh(activations: Tensor, gradients: Tensor, dims: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    """Return Grad-CAM (z, y, x) of activations and gradients (both C, z, y, x).

    A channel's weight is the mean of its gradients over `dims`; the map is the ReLU of the weighted sum of the
    channels (equations 1 and 2 of the paper).
    """
    weights = gradients.mean(dim=dims, keepdim=True)
    return torch.relu((weights * activations).sum(dim=0))


def weigh_elements(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return HiResCAM (z, y, x) of activations and gradients (both C, z, y, x).

    Each element is weighted by its own gradient; the map is the ReLU of the sum over the channels (equation 6 of the
    paper). Where the layers behind the map average it, this is Grad-CAM. Where they weigh places differently, such as
    dense layers on a flattened map, Grad-CAM gives each place the mean weight of all places.
    """
    return torch.relu((gradients * activations).sum(dim=0))


def explain_patch(
    network: nn.Module,
    hu_BCZYX: Tensor,
    output: Output,
    diameter_mm_B: Tensor | None = None,
    *,
    method: Method = "gradcam",
) -> tuple[FloatArray, float]:
    """Return the map of one patch (1, 1, Z, Y, X) on the patch's own voxels (float32, zyx), and the output's logit.

    The network must be in evaluation mode. A map of 0 everywhere says that nothing in the patch raises the output.

    Raises:
        ValueError: see `last_feature_map`.
    """
    found = last_feature_map(network, hu_BCZYX, output, diameter_mm_B)
    z, y, x = (int(side) for side in hu_BCZYX.shape[2:])
    return to_patch(_weighed(network, found, method), found, network, (z, y, x)), found.logit


def explain_flips(
    network: nn.Module,
    hu_BCZYX: Tensor,
    output: Output,
    diameter_mm_B: Tensor | None = None,
    *,
    method: Method = "gradcam",
) -> tuple[FloatArray, float]:
    """Return the mean of `explain_patch` over the 8 flips of the patch, each turned back, and the mean logit.

    A scorer averages its logits over flips, too. The middles of a map's elements are off the middle of the patch by up
    to half an element, to the other side in the flipped patch, so that the mean is centred.
    """
    total = np.zeros(tuple(hu_BCZYX.shape[2:]), dtype=np.float32)
    logits: list[float] = []
    for flipped in product((False, True), repeat=3):
        axes = tuple(axis for axis, is_flipped in enumerate(flipped) if is_flipped)
        turned = torch.flip(hu_BCZYX, [axis + 2 for axis in axes])
        values, logit = explain_patch(network, turned, output, diameter_mm_B, method=method)
        total += np.flip(values, axes)
        logits.append(logit)
    return total / np.float32(len(logits)), float(np.mean(logits))


def _weighed(network: nn.Module, found: FeatureMap, method: Method) -> FloatArray:
    activations, gradients = found.activations.float(), found.gradients.float()
    # slices do not see each other: each is an image of a 2D network, with weights of its own
    dims = (2, 3) if hasattr(network, "cut") else (1, 2, 3)
    summed = weigh_elements(activations, gradients) if method == "hirescam" else weigh(activations, gradients, dims)
    values: FloatArray = summed.cpu().numpy()
    return values
