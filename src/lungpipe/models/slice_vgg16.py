"""VGG16 on the slices around a candidate; its first weights may come from a file in torchvision's layout."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from lungpipe.models.intensity import Intensity
from lungpipe.models.slices import SliceHeads, cut_slices
from lungpipe.settings.recipe import SliceVgg16Settings

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions of the five blocks (configuration D of Simonyan and Zisserman, ICLR 2015)."""
POOLED_SIDE = 7
IN_PLANE = (1, 2, 2)


class SliceVgg16(nn.Module):
    """VGG16 on slices of a patch: HU (B, 1, Z, Y, X) to the logits and the localiser's outputs of `SliceHeads`.

    `features` and `classifier` have the layers of torchvision's VGG16 under the same numbers, so that names such as
    `features.0.weight` are equal; the last dense layer (1000 classes) is replaced by `heads`. Kernels are 3D with a
    depth of one slice, so that slices do not see each other. Z, Y and X must be equal.
    """

    def __init__(self, settings: SliceVgg16Settings) -> None:
        super().__init__()
        self.cut = (settings.num_planes, settings.slices_per_plane, settings.slice_step_vox)
        self.frozen_blocks, hidden, dropout = settings.frozen_blocks, settings.hidden, settings.dropout
        self.intensity = Intensity(settings)
        layers: list[nn.Module] = []
        in_channels = self.intensity.num_channels
        for out_channels, number in zip(settings.channels, CONVOLUTIONS, strict=True):
            for _ in range(number):
                layers += [_convolution(in_channels, out_channels), nn.ReLU(inplace=True)]
                in_channels = out_channels
            layers.append(nn.MaxPool3d(IN_PLANE))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool3d((None, POOLED_SIDE, POOLED_SIDE))
        self.classifier = nn.Sequential(
            nn.Linear(in_channels * POOLED_SIDE**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.heads = SliceHeads(hidden, settings.slices_per_plane, settings.aggregate)

    def forward(self, hu_BCZYX: Tensor) -> dict[str, Tensor]:
        """Return the logits and the localiser's outputs of each patch."""
        features = self.pool(self.features(cut_slices(self.intensity(hu_BCZYX), *self.cut)))
        return self.heads(self.classifier(features.transpose(1, 2).flatten(2)))

    def start_from(self, path: Path) -> str:
        """Copy the weights of a state_dict in torchvision's layout of VGG16; return which were copied, as text.

        The weights of the first convolution are summed over the three colours and divided by the number of windows:
        a window acts as a grey image. The dense layers are copied where the file's have the same shape. The first
        `frozen_blocks` blocks get no gradients.

        Raises:
            ValueError: no file of tensors, or a convolution that is missing or has another shape.
        """
        found = read_state(path)
        with torch.no_grad():
            self._copy_convolutions(path, found)
            dense = [name for name in ("0", "3") if self._copy_dense(found, name)]
        self._freeze()
        layers = f"13 convolutions and {len(dense)} of 2 dense layers"
        return f"{layers}; the first {self.frozen_blocks} of 5 blocks keep them"

    def _copy_convolutions(self, path: Path, found: Mapping[str, Tensor]) -> None:
        for name, own in self.features.named_parameters():
            tensor, key = found.get(f"features.{name}"), f"features.{name}"
            if tensor is None:
                raise ValueError(f"{path}: expected a tensor {key} as in torchvision's VGG16, found none")
            if name == "0.weight" and tensor.dim() == 4:
                tensor = tensor.sum(dim=1, keepdim=True).expand(-1, own.shape[1], -1, -1) / own.shape[1]
            expected = own[:, :, 0] if own.dim() == 5 else own
            if tensor.shape != expected.shape:
                raise ValueError(
                    f"{path}: {key}: expected the shape {tuple(expected.shape)}, found {tuple(tensor.shape)}"
                )
            expected.copy_(tensor)

    def _copy_dense(self, found: Mapping[str, Tensor], number: str) -> bool:
        layer = self.classifier.get_submodule(number)
        pairs = [(own, found.get(f"classifier.{number}.{name}")) for name, own in layer.named_parameters()]
        if not all(tensor is not None and tensor.shape == own.shape for own, tensor in pairs):
            return False
        for own, tensor in pairs:
            own.copy_(tensor)  # type: ignore[arg-type]
        return True

    def _freeze(self) -> None:
        last = sum(2 * number + 1 for number in CONVOLUTIONS[: self.frozen_blocks])
        self.features[:last].requires_grad_(False)


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a state_dict that `torch.save` wrote; nothing but tensors is unpickled.

    Raises:
        ValueError: another file, or one that holds other things than tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path}: expected a state_dict of torch.save, found {reason}") from None
    if not isinstance(content, Mapping) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ValueError(f"{path}: expected tensors by name, found {type(content).__name__}")
    return dict(content)


def _convolution(in_channels: int, out_channels: int) -> nn.Conv3d:
    layer = nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1))
    # no normalisation follows: the initial weights keep the features' variance (He et al., ICCV 2015)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
