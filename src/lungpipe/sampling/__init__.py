"""Training material: packed patches for the segmenter, cubes for the classifier, augmentation."""

from lungpipe.sampling.augment import augment
from lungpipe.sampling.cubes import Cubes, assemble_cubes, cut_cubes
from lungpipe.sampling.draw import draw_patches, middle_patches, nodule_shares
from lungpipe.sampling.pack import IGNORED, NODULE, PackedPatches, pack_series, pack_subset

__all__ = [
    "IGNORED",
    "NODULE",
    "Cubes",
    "PackedPatches",
    "assemble_cubes",
    "augment",
    "cut_cubes",
    "draw_patches",
    "middle_patches",
    "nodule_shares",
    "pack_series",
    "pack_subset",
]
