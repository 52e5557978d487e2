"""Settings of the 2D networks that score the slices around a candidate."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveInt
from lungpipe.settings.recipe.networks import NetworkSettings


class SliceNetworkSettings(NetworkSettings):
    """What 2D networks share: which slices of a patch are cut, how their scores become one, dropout."""

    heads: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy", "place", "diameter"})

    num_planes: Literal[1, 3] = 1
    """1 cuts axial slices; 3 also coronal and sagittal slices"""
    slices_per_plane: PositiveInt = 3
    """slices of each plane around the middle of the patch, an odd number"""
    slice_step_vox: PositiveInt = 2
    """distance between neighbouring slices, voxels"""
    aggregate: Literal["mean", "maximum"] = "mean"
    """how the logits of a candidate's slices become the candidate's logits"""
    dropout: Fraction = 0.5
    """dropout in the dense layers"""

    @model_validator(mode="after")
    def _middle_slice(self) -> "SliceNetworkSettings":
        if self.slices_per_plane % 2 == 0:
            raise ValueError(f"slices_per_plane: expected an odd number, found {self.slices_per_plane}")
        return self

    @property
    def smallest_patch_vox(self) -> int:
        """Smallest patch side that has all slices, and leaves a pixel after five poolings, voxels."""
        return max(32, (self.slices_per_plane - 1) * self.slice_step_vox + 1)


class SliceCnnSettings(SliceNetworkSettings):
    """Three 2D convolutions with pooling, then one dense layer."""

    builds: ClassVar[str] = "lungpipe.models.slice_cnn:SliceCnn"

    kind: Literal["slice_cnn"] = "slice_cnn"
    """three 2D convolutions"""
    channels: tuple[PositiveInt, PositiveInt, PositiveInt] = (32, 64, 128)
    """channels of the three convolutions; each is followed by 2x pooling"""
    hidden: PositiveInt = 128
    """width of the dense layer"""


class SliceVgg16Settings(SliceNetworkSettings):
    """VGG16, with weights that were trained on other images, or from scratch."""

    builds: ClassVar[str] = "lungpipe.models.slice_vgg16:SliceVgg16"

    kind: Literal["slice_vgg16"] = "slice_vgg16"
    """VGG16"""
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512, 512)
    """channels of the five blocks of 2, 2, 3, 3 and 3 convolutions; weights of a file need the default"""
    hidden: PositiveInt = 4096
    """width of both dense layers; with another width than 4096 they take no weights of a file"""
    weights_path: str | None = None
    """file with a state_dict in torchvision's layout of VGG16, from which training starts; null: from scratch"""
    frozen_blocks: int = Field(default=0, ge=0, le=5)
    """first blocks that keep the weights of the file"""

    @model_validator(mode="after")
    def _frozen_weights_are_trained(self) -> "SliceVgg16Settings":
        if self.frozen_blocks and self.weights_path is None:
            raise ValueError(f"frozen_blocks: expected 0 without weights_path, found {self.frozen_blocks}")
        return self
