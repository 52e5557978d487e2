"""Settings of a recipe: segmenter, candidates, classifier and their training."""

from typing import Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveFloat, PositiveInt, Settings

Normalisation = Literal["zero_one", "zero_centre", "byte"]


class TrainingSettings(Settings):
    """What every training loop needs."""

    num_steps: PositiveInt
    """optimiser steps"""
    batch_size: PositiveInt
    """patches per step"""
    learning_rate: PositiveFloat
    """peak of the one-cycle learning rate"""
    weight_decay: float = Field(default=1e-4, ge=0)
    """AdamW weight decay"""
    num_checks: PositiveInt = 6
    """how often the validation subset is looked at; the best check is kept"""


class SegmenterSettings(Settings):
    """The voxel segmenter (3D U-Net)."""

    channels: tuple[PositiveInt, ...] = (16, 32, 64)
    """channels per resolution level, finest first"""
    stem_stride: Literal[1, 2] = 2
    """stride of the first convolution; the mask is shuffled back to full resolution"""
    is_residual: bool = True
    """residual blocks instead of plain double convolutions"""
    patch_size_vox: PositiveInt = 32
    """side of a training patch, voxels; divisible by the network's total stride"""
    window_hu: tuple[int, int] = (-1000, 400)
    """HU window that becomes the network's input"""
    normalisation: Normalisation = "zero_one"
    """how the windowed HU are scaled"""
    positive_fraction: Fraction = 0.6
    """share of patches with a nodule in them"""
    max_offset_vox: int = Field(default=12, ge=0)
    """largest random shift between a nodule's centre and its patch's, voxels"""
    negatives_per_scan: PositiveInt = 5
    """blocks of random lung packed per scan, beside one per nodule"""
    tile_size_vox: PositiveInt = 96
    """side of an inference tile, voxels"""
    tile_overlap_vox: int = Field(default=16, ge=0)
    """overlap of neighbouring tiles, voxels"""
    training: TrainingSettings = TrainingSettings(num_steps=600, batch_size=16, learning_rate=5e-3)
    """training"""

    @model_validator(mode="after")
    def _sizes_fit(self) -> "SegmenterSettings":
        if self.tile_overlap_vox >= self.tile_size_vox:
            found = f"{self.tile_overlap_vox} of {self.tile_size_vox}"
            raise ValueError(f"tile_overlap_vox: expected less than tile_size_vox, found {found}")
        if 2 * self.max_offset_vox > self.patch_size_vox:
            found = f"{self.max_offset_vox} for patches of {self.patch_size_vox}"
            raise ValueError(f"max_offset_vox: expected at most half of patch_size_vox, found {found}")
        return self


class CandidateSettings(Settings):
    """From voxel probabilities to candidates."""

    threshold: Fraction = 0.2
    """voxels above it form lumps"""
    min_voxels: PositiveInt = 4
    """smaller lumps are dropped, voxels"""
    merge_distance_mm: float = Field(default=5.0, ge=0)
    """weaker candidates nearer than this (or than the stronger one's radius) are merged into it, mm"""
    max_per_scan: PositiveInt = 100
    """only the strongest candidates of a scan are kept (the official judge reads 100)"""


class ClassifierSettings(Settings):
    """The candidate classifier (3D ResNet with a nodule and a malignancy head)."""

    channels: tuple[PositiveInt, ...] = (16, 32, 64)
    """channels per stage"""
    patch_size_vox: PositiveInt = 32
    """side of the cube around a candidate, voxels"""
    window_hu: tuple[int, int] = (-1000, 400)
    """HU window that becomes the network's input"""
    normalisation: Normalisation = "zero_one"
    """how the windowed HU are scaled"""
    max_offset_vox: int = Field(default=3, ge=0)
    """random shift of training cubes, voxels"""
    negatives_per_scan: PositiveInt = 24
    """random lung positions per training scan, beside the mined candidates"""
    positive_fraction: Fraction = 0.5
    """share of nodules in a batch"""
    malignancy_weight: float = Field(default=0.5, ge=0)
    """weight of the malignancy loss beside the nodule loss"""
    num_augmented_views: Literal[1, 2, 4, 8] = 8
    """flipped views averaged at test time"""
    training: TrainingSettings = TrainingSettings(num_steps=400, batch_size=24, learning_rate=2e-3)
    """training"""

    @model_validator(mode="after")
    def _last_stage_has_a_middle(self) -> "ClassifierSettings":
        smallest = 2 ** (len(self.channels) + 1)
        if self.patch_size_vox <= smallest:
            expected = f"more than {smallest} for {len(self.channels)} stages, so that the last one has a middle"
            raise ValueError(f"patch_size_vox: expected {expected}, found {self.patch_size_vox}")
        return self
