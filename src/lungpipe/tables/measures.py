"""The columns of the table of measures: which HU, shells and scales are measured, and what the columns mean."""

from lungpipe.tables.columns import Column

PERCENTILES = (2, 10, 25, 50, 75, 90, 98)
LEVELS_HU = (-600, -300, -100, 100, 200, 400)
SHELLS_MM = ((0, 2), (2, 5), (5, 10))
"""Shells around a nodule: from and to, in mm outside its radius."""
BLOB_MM = (1, 2, 4)
EDGE = ("edge_mean", "edge_deviation", "edge_steep", "core_slope")
_TISSUE = {
    "tissue_mm": "diameter (mm) of the sphere of the connected tissue's volume",
    "long_mm": "longest standard deviation (mm) of the connected tissue",
    "middle_mm": "middle standard deviation (mm) of the connected tissue",
    "short_mm": "shortest standard deviation (mm) of the connected tissue",
    "elongation": "longest by shortest standard deviation of the connected tissue",
    "flatness": "middle by shortest standard deviation of the connected tissue",
    "fill_share": "volume of the connected tissue by that of its enclosing sphere",
    "surface_ratio": "voxels at the surface of the connected tissue by its number of voxels to the power 2/3",
    "thin_share": "share of the connected tissue in parts that an opening by one voxel removes",
    "offset_mm": "distance of the connected tissue's centre from the nodule's",
    "tissue_hu": "mean HU of the connected tissue",
    "tissue_deviation": "standard deviation of the HU of the connected tissue",
    "tissue_skewness": "skewness of the HU of the connected tissue",
    "mass_mg": "mass (mg) of the connected tissue, its density taken as 1 + HU / 1000 g/ml",
}
TISSUE = tuple(_TISSUE)


def level_name(level_hu: int) -> str:
    """Return the column of the share of voxels above this HU."""
    return f"share_above_{'minus_' if level_hu < 0 else ''}{abs(level_hu)}"


def measure_columns() -> dict[str, Column]:
    """Return the columns of the measures, all float64, in their order."""
    meanings = {
        "border_mm": "distance of the centre from the nearest border of the volume",
        **{f"hu_p{percent}": f"{percent}th percentile of HU within the radius" for percent in PERCENTILES},
        **{level_name(level): f"share of voxels above {level} HU within the radius" for level in LEVELS_HU},
    }
    for low, high in SHELLS_MM:
        place = f"{low} to {high} mm outside the radius"
        meanings |= {
            f"shell_{low}_{high}_hu": f"mean HU {place}",
            f"shell_{low}_{high}_deviation": f"standard deviation of HU {place}",
            f"shell_{low}_{high}_tissue": f"share of voxels above -500 HU {place}",
            f"shell_{low}_{high}_emphysema": f"share of voxels below -950 HU {place}",
        }
    slope = "slope of HU (HU per mm, smoothed by 1 mm)"
    edges = (
        f"mean {slope} from 1 mm inside to 1.5 mm outside the radius",
        f"standard deviation of the {slope} there",
        f"90th percentile of the {slope} there",
        f"mean {slope} within 0.6 x radius",
    )
    meanings |= dict(zip(EDGE, edges, strict=True))
    for scale in BLOB_MM:
        filtered = f"scale-normalised Laplacian of Gaussian of {scale} mm"
        meanings |= {
            f"blob_{scale}_centre": f"{filtered}, at the centre",
            f"blob_{scale}_lowest": f"{filtered}, lowest within the radius + 1 mm",
            f"blob_{scale}_deviation": f"{filtered}, standard deviation within the radius + 1 mm",
        }
    return {name: Column("float64", meaning) for name, meaning in (meanings | _TISSUE).items()}


MEASURED = ("diameter_mm", *(name for name in measure_columns() if name != "border_mm"))
"""The values that malignancy is learned from; the distance from the border says where a cube was cut, and nothing of
the nodule."""
