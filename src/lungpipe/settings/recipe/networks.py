"""Settings of the networks; each class names the network that it builds."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveInt, Settings

Normalisation = Literal["zero_one", "zero_centre", "byte"]
Channels = tuple[PositiveInt, ...]
SMALLEST_FEATURES_VOX = 3
"""Smallest side of the features of a 3D convolution. On features of two voxels along z, the gradient of the weights in
bfloat16 on a CPU (torch 2.13) is computed from memory that nobody wrote: no error, wrong weights."""


class NetworkSettings(Settings):
    """The settings of every network: the HU windows that the first layer applies.

    `builds` names the class as `module:Class`; the class takes these settings as its only argument. The same name
    enters the code fingerprint of the rules that train or run the network.
    """

    builds: ClassVar[str]
    heads: ClassVar[frozenset[str]]
    is_tunable: ClassVar[bool] = False
    """whether `training.fine_tune` can train a part of the network alone"""

    windows_hu: tuple[tuple[int, int], ...] = Field(default=((-1000, 400),), min_length=1)
    """HU windows (low, high); each becomes one input channel"""
    normalisation: Normalisation = "zero_one"
    """how the windowed HU are scaled"""

    @model_validator(mode="after")
    def _windows_rise(self) -> "NetworkSettings":
        for low, high in self.windows_hu:
            if low >= high:
                raise ValueError(f"windows_hu: expected low < high, found {low}, {high}")
        return self


class UNetSettings(NetworkSettings):
    """3D U-Net: one nodule logit per voxel."""

    builds: ClassVar[str] = "lungpipe.models.unet:UNet"
    heads: ClassVar[frozenset[str]] = frozenset({"mask"})

    kind: Literal["unet"] = "unet"
    """3D U-Net"""
    channels: Channels = (16, 32, 64)
    """channels per resolution level, finest first"""
    stem_stride: Literal[1, 2, 4] = 2
    """stride of the first convolution; the mask is shuffled back to full resolution"""
    is_residual: bool = True
    """residual blocks instead of plain double convolutions"""

    @property
    def total_stride(self) -> int:
        """Number that every side of the input must be divisible by, voxels."""
        return int(self.stem_stride * 2 ** (len(self.channels) - 1))


class SliceUNetSettings(NetworkSettings):
    """2D U-Net on every slice, with the neighbouring slices as channels: one nodule logit per voxel."""

    builds: ClassVar[str] = "lungpipe.models.slice_unet:SliceUNet"
    heads: ClassVar[frozenset[str]] = frozenset({"mask"})

    kind: Literal["slice_unet"] = "slice_unet"
    """2D U-Net on slices"""
    channels: Channels = (16, 32, 64)
    """channels per resolution level, finest first"""
    context_slices: int = Field(default=3, ge=0)
    """neighbouring slices on each side that are channels of a slice; 3 gives 7 channels for each window"""

    @property
    def total_stride(self) -> int:
        """Number that every side of the input must be divisible by, voxels."""
        return int(2 ** (len(self.channels) - 1))


class CenterNetSettings(NetworkSettings):
    """Centre detector: heat map, offset and diameter at a coarse stride, mask at full resolution."""

    builds: ClassVar[str] = "lungpipe.models.center_net:CenterNet"
    heads: ClassVar[frozenset[str]] = frozenset({"heatmap", "offset", "diameter", "mask"})

    kind: Literal["center_net"] = "center_net"
    """centre detector"""
    channels: Channels = (32, 64, 128)
    """channels per resolution level after the stem, finest first"""
    output_stride: Literal[2, 4] = 4
    """stride of the heat map, voxels"""
    skips: Literal["concatenate", "add"] = "concatenate"
    """how the decoder joins two resolutions; `add` computes a third less"""
    is_residual: bool = True
    """residual blocks instead of plain double convolutions"""

    @property
    def total_stride(self) -> int:
        """Number that every side of the input must be divisible by, voxels."""
        return int(self.output_stride * 2 ** (len(self.channels) - 1))


class ResNetSettings(NetworkSettings):
    """3D ResNet with a nodule and a malignancy head."""

    builds: ClassVar[str] = "lungpipe.models.resnet:ResNet"
    heads: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy"})

    kind: Literal["resnet"] = "resnet"
    """3D ResNet"""
    channels: Channels = (16, 32, 64)
    """channels per stage; each stage halves the resolution"""
    dropout: Fraction = 0.2
    """dropout before the heads"""

    @property
    def smallest_patch_vox(self) -> int:
        """Smallest patch side for which the last stage has a middle, voxels."""
        return int(2 ** (len(self.channels) + 1) + 1)


class Cnn3dSettings(NetworkSettings):
    """Three 3D convolutions with pooling, then three dense layers."""

    builds: ClassVar[str] = "lungpipe.models.cnn3d:Cnn3d"
    heads: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy"})

    kind: Literal["cnn3d"] = "cnn3d"
    """three 3D convolutions, three dense layers"""
    channels: tuple[PositiveInt, PositiveInt, PositiveInt] = (16, 32, 64)
    """channels of the three convolutions; each is followed by 2x pooling"""
    hidden: tuple[PositiveInt, PositiveInt] = (128, 64)
    """widths of the first two dense layers"""
    dropout: Fraction = 0.5
    """dropout before the last dense layer"""

    @property
    def smallest_patch_vox(self) -> int:
        """Smallest patch side for which the third convolution has features of three voxels, voxels."""
        return 4 * SMALLEST_FEATURES_VOX


class RatingNetSettings(NetworkSettings):
    """3D ResNet with heads for nodule, malignancy, and the distributions of the readers' nine ratings."""

    builds: ClassVar[str] = "lungpipe.models.rating_net:RatingNet"
    heads: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy", "ratings"})

    kind: Literal["rating_net"] = "rating_net"
    """3D ResNet that also rates the nine characteristics"""
    channels: Channels = (16, 32, 64)
    """channels per stage; each stage halves the resolution"""
    dropout: Fraction = 0.2
    """dropout before the heads"""
    num_scales: Literal[1, 2] = 1
    """2 sees the patch's middle half and, beside it, the whole patch at half the resolution"""
    has_diameter: bool = True
    """whether the ratings also depend on the candidate's diameter"""
    diameter_jitter: float = Field(default=0.15, ge=0)
    """standard deviation of the random relative error of the diameter in training"""

    @property
    def smallest_patch_vox(self) -> int:
        """Smallest patch side for which the last stage has a middle, voxels."""
        return int(self.num_scales * (2 ** (len(self.channels) + 1) + 1))


class BlockCnnSettings(NetworkSettings):
    """Blocks of two 3D convolutions and pooling, then one dense layer; malignancy has last blocks of its own."""

    builds: ClassVar[str] = "lungpipe.models.block_cnn:BlockCnn"
    heads: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy"})
    is_tunable: ClassVar[bool] = True

    kind: Literal["block_cnn"] = "block_cnn"
    """blocks of two 3D convolutions"""
    channels: Channels = (8, 16, 32, 64)
    """channels per block; each block halves the resolution"""
    tuned_blocks: int = Field(default=1, ge=0, le=2)
    """last blocks that malignancy has for itself, beside its dense layer; `training.fine_tune` trains them alone"""

    @model_validator(mode="after")
    def _blocks_are_there(self) -> "BlockCnnSettings":
        if self.tuned_blocks > len(self.channels):
            expected = f"at most the {len(self.channels)} blocks of channels"
            raise ValueError(f"tuned_blocks: expected {expected}, found {self.tuned_blocks}")
        return self

    @property
    def smallest_patch_vox(self) -> int:
        """Smallest patch side for which the last block has features of three voxels, voxels."""
        return int(SMALLEST_FEATURES_VOX * 2 ** (len(self.channels) - 1))
