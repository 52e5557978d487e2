"""Settings of the rating network that also sees the detector's mask."""

from typing import ClassVar, Literal

from lungpipe.settings.recipe.detector import DetectorNetwork
from lungpipe.settings.recipe.networks import RatingNetSettings


class MaskedRatingNetSettings(RatingNetSettings):
    """The rating network with the detector's mask of the patch as one more channel at each scale."""

    builds: ClassVar[str] = "lungpipe.models.masked_rating_net:MaskedRatingNet"

    kind: Literal["masked_rating_net"] = "masked_rating_net"  # type: ignore[assignment]
    """`rating_net` with the detector's mask as a channel"""
    detector: DetectorNetwork
    """the network whose mask is the channel: that of the recipe's detector"""
    weights_path: str | None = None
    """file of the detector's weights; null in a recipe, a study fills in the detector of each fold"""

    @property
    def total_stride(self) -> int:
        """Number that the side of a patch must be divisible by, voxels."""
        return self.detector.total_stride
