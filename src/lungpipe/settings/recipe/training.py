"""Settings of every training: length, optimiser, augmentation."""

from typing import Literal

from pydantic import Field

from lungpipe.settings.base import Fraction, PositiveFloat, PositiveInt, Settings


class AugmentationSettings(Settings):
    """Random changes of training patches, computed on the training device in batches."""

    has_symmetries: bool = True
    """flip and turn each patch by one of the cube's 48 symmetries (flips alone if voxels are not cubes)"""
    rotation_deg: float = Field(default=0.0, ge=0, le=180)
    """largest rotation about a random axis, degrees"""
    zoom: float = Field(default=0.0, ge=0, lt=1)
    """largest relative change of size: 0.1 is 0.9 to 1.1"""
    hu_scale: float = Field(default=0.1, ge=0, lt=1)
    """largest relative change of HU above air"""
    hu_shift: float = Field(default=70.0, ge=0)
    """largest shift of all HU"""
    noise_hu: float = Field(default=0.0, ge=0)
    """largest standard deviation of added noise, HU"""
    blur_vox: float = Field(default=0.0, ge=0)
    """largest standard deviation of a Gaussian blur, voxels"""
    cutout_vox: int = Field(default=0, ge=0)
    """largest side of a cube that is set to air, away from the patch's own nodule, voxels"""


class TrainingSettings(Settings):
    """How long and how a network is trained; the same trainer runs every network."""

    num_steps: PositiveInt
    """optimiser steps"""
    batch_size: PositiveInt
    """patches per step, over all processes"""
    micro_batch_size: PositiveInt | None = None
    """patches on the device at once, with accumulated gradients; null takes a whole batch at once"""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """`adamw`, or `muon`: orthogonal steps for the kernels of convolutions, AdamW for all other weights"""
    learning_rate: PositiveFloat
    """peak learning rate, after warm-up and before the cosine decay"""
    weight_decay: float = Field(default=1e-4, ge=0)
    """decoupled weight decay of convolutions and dense layers"""
    warmup_fraction: Fraction = 0.1
    """share of the steps in which the learning rate rises"""
    gradient_limit: PositiveFloat = 5.0
    """largest norm of the gradient"""
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """decay per step of the moving average of weights, which is validated and kept; 0: no average"""
    num_checks: PositiveInt = 6
    """validations of a training; the weights of the best validation are kept"""
    num_members: PositiveInt = 1
    """networks of the ensemble, trained one after the other from different seeds"""
    augmentation: AugmentationSettings = AugmentationSettings()
    """random changes of the patches"""

    @property
    def total_steps(self) -> int:
        """Optimiser steps of one member of the ensemble."""
        return self.num_steps
