"""Views of patches: their flips and turns, over which a scorer's logits are averaged."""

from collections.abc import Iterator
from itertools import permutations, product

import torch
from torch import Tensor

NUM_FLIPS = 8
"""Views that keep the axes in place; all others need voxels with equal sides."""


def patch_views(patches_BCZYX: Tensor, first: int, last: int) -> Iterator[Tensor]:
    """Yield the views `first` to `last` - 1 of the 48 symmetries of a cube.

    The first 8 are flips of the axes in place: none first, then along one axis, two, three. Each further 8 are the
    flips of another order of the axes.
    """
    flips = sorted(product((False, True), repeat=3), key=sum)
    symmetries = [(order, flip) for order in permutations((2, 3, 4)) for flip in flips]
    for order, flip in symmetries[first:last]:
        turned = patches_BCZYX.permute(0, 1, *order)
        yield torch.flip(turned, [axis + 2 for axis, is_flipped in enumerate(flip) if is_flipped])
