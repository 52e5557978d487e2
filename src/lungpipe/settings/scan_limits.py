"""The scans that a model may judge."""

from pydantic import Field

from lungpipe.settings.base import PositiveFloat, PositiveInt, Settings


class ScanLimits(Settings):
    """The scans that a model may judge; the model's card has them, and `lungpipe predict` refuses other scans."""

    thickest_mm: PositiveFloat = 5.0
    """largest distance of slices, mm"""
    remarked_mm: PositiveFloat = 2.5
    """a larger distance of slices gives a remark, mm; LUNA16 has slices up to 2.5 mm apart"""
    min_slices: PositiveInt = 20
    """fewest slices"""
    min_lungs_ml: float = Field(default=50.0, ge=0)
    """smallest volume of both lungs, ml; a miniature chest of the phantom has about 200 ml"""
