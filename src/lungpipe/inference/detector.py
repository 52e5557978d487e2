"""Search a volume with a trained detector."""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates import Detections, merge_detections
from lungpipe.geometry import Grid
from lungpipe.inference.fusing import fuse_network
from lungpipe.inference.maps import Maps, predict_maps
from lungpipe.lungs.morphology import dilate_mm
from lungpipe.models import Hardware, resolve
from lungpipe.models.model import Model
from lungpipe.settings.recipe import DetectorInference, TrainedDetector, TrainedScorer
from lungpipe.volumes.volume import Volume


class Decoder(Protocol):
    """The function that `settings.decode.builds` names."""

    def __call__(
        self,
        maps: Maps,
        grid: Grid,
        region: NDArray[np.bool_],
        settings: object,
        *,
        merge: Callable[[Detections], Detections],
    ) -> Detections:
        """Return the detections inside the region (mask, zyx), merged."""
        ...


class Detector:
    """A trained detector on its hardware."""

    def __init__(self, model: Model, inference: DetectorInference, hardware: Hardware) -> None:
        """Copy the model's networks for inference; the model is not changed."""
        self.card, self.inference, self.hardware = model.card, inference, hardware
        self.members = tuple(fuse_network(member, hardware) for member in model.members)
        self.heads = trained_heads(self.card.part)
        self._decode = cast("Decoder", resolve(inference.decode.builds))

    def detect(self, volume: Volume, *, region: Literal["whole"] | None = None, margin_mm: float = 5.0) -> Detections:
        """Return the detections of a volume by falling score, merged, at most `max_per_scan`.

        The search region is the lung mask dilated by `margin_mm`, or the `whole` volume.

        The result depends neither on how the volume is stored nor on where the scan is in its array. It depends on
        tiles only if the network sees farther than the halo: `tests/unit/inference/test_places.py` has the difference.
        """
        searched = search_region(volume, region, margin_mm)
        maps = predict_maps(self.members, volume, searched, self.inference, hardware=self.hardware, heads=self.heads)
        if maps is None:
            return Detections.empty(has_masks="mask" in self.heads)
        return self._decode(maps, volume.grid, searched, self.inference.decode, merge=merging(self.inference))


def merging(inference: DetectorInference) -> Callable[[Detections], Detections]:
    """Return the function that merges detections by these settings (see `merge_detections`)."""
    return partial(
        merge_detections,
        merge_distance_mm=inference.merge_distance_mm,
        max_per_scan=inference.max_per_scan,
        merge_overlap=inference.merge_overlap,
    )


def trained_heads(part: TrainedDetector | TrainedScorer) -> frozenset[str]:
    """Return the heads of a part's network that its objective trains; a mask of weight 0 is left out."""
    is_mask_trained = getattr(part.training.objective, "mask_weight", 1.0) > 0
    return part.network.heads if is_mask_trained else part.network.heads - {"mask"}


def search_region(volume: Volume, region: Literal["whole"] | None, margin_mm: float) -> NDArray[np.bool_]:
    """Return the search region of a detector as a mask (bool, zyx)."""
    if region == "whole":
        return np.ones(volume.grid.shape_zyx, dtype=bool)
    return dilate_mm(volume.read_lungs() > 0, volume.grid.spacing_zyx_mm, margin_mm)
