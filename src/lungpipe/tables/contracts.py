"""The contract of every table: columns, dtypes, units, unique keys, and columns with missing values."""

from lungpipe.tables.characteristics import CHARACTERISTICS, RATING_COLUMNS, ratings_pattern
from lungpipe.tables.columns import COUNT, POSITIVE, SHARE, Column, Contract, Limits
from lungpipe.tables.measures import measure_columns

_SERIES = Column("string", "series instance UID, never altered", pattern=r"\S(.*\S)?")
_FOLD = Column("int64", "fold that evaluated the series", limits=COUNT)
CENTER_COLUMNS = ("center_z_mm", "center_y_mm", "center_x_mm")
"""World position in LPS millimetres, in array order."""
_CENTER = {name: Column("float64", f"world {name[7]}, LPS mm") for name in CENTER_COLUMNS}
_DIAMETER = Column("float64", "mm", limits=POSITIVE)

SERIES = Contract(
    "series",
    {
        "series_uid": _SERIES,
        "patient_id": Column("string", "patient, to keep folds apart"),
        "subset": Column("int64", "LUNA16 subset folder", limits=COUNT),
    },
    ("series_uid",),
)

NODULES = Contract(
    "nodules",
    {
        "nodule_id": Column("string", "<series_uid>#<row within the series>"),
        "series_uid": _SERIES,
        **_CENTER,
        "diameter_mm": _DIAMETER,
        "malignancy_ratings": Column(
            "string", "1-5, one per reader, ';' between; missing where unknown", True, pattern=ratings_pattern(5)
        ),
    },
    ("nodule_id",),
)

RATINGS = Contract(
    "ratings",
    {
        "nodule_id": Column("string", "nodule, as in the table of nodules"),
        **{
            RATING_COLUMNS[name]: Column(
                "string",
                f"1-{highest}, one per reader, ';' between; missing: unknown",
                True,
                pattern=ratings_pattern(highest),
            )
            for name, highest in CHARACTERISTICS.items()
        },
    },
    ("nodule_id",),
)

EXCLUSIONS = Contract(
    "exclusions",
    {"series_uid": _SERIES, **_CENTER, "diameter_mm": Column("float64", "mm; -1 where unknown", limits=Limits(-1))},
)

FAILURES = Contract(
    "failures",
    {"series_uid": _SERIES, "reason": Column("string", "why the scan could not be prepared")},
    ("series_uid",),
)

QC = Contract(
    "qc",
    {
        "series_uid": _SERIES,
        "subset": Column("int64", "LUNA16 subset folder", limits=COUNT),
        "is_ok": Column("bool", "whether the volume was written"),
        "reason": Column("string", "reason of a failure; empty if the volume was written"),
        "remarks": Column(
            "string", "differences between what the reader assumed and what the files say; empty if none"
        ),
        "source": Column("string", "file name of the scan"),
        "num_nodules": Column("int64", "annotated nodules", limits=COUNT),
        "num_nodules_outside_volume": Column(
            "int64", "annotated nodules whose centre is not in the volume", limits=COUNT
        ),
        "num_nodules_outside_lungs": Column(
            "int64", "annotated nodules whose centre is not in the dilated lung mask", limits=COUNT
        ),
        "lungs_ml": Column("float64", "volume of the undilated lung mask, ml", True, COUNT),
        "left_lung_ml": Column("float64", "of which the left lung, ml", True, COUNT),
        "right_lung_ml": Column("float64", "of which the right lung, ml", True, COUNT),
        "min_hu": Column("float64", "smallest stored HU", True),
        "max_hu": Column("float64", "largest stored HU", True),
    },
    ("series_uid",),
)

REFERENCES = Contract(
    "references",
    {
        "series_uid": _SERIES,
        "subset": Column("int64", "LUNA16 subset folder", limits=COUNT),
        "lungs_dice": Column("float64", "Dice overlap with the reference mask, both lungs", True, SHARE),
        "left_lung_dice": Column(
            "float64", "the same for the left lung; missing where neither mask has it", True, SHARE
        ),
        "right_lung_dice": Column("float64", "the same for the right lung", True, SHARE),
        "reference_lungs_ml": Column("float64", "volume of the reference mask's lungs, ml", True, COUNT),
        "reference_reason": Column("string", "why the reference mask was not compared; empty if compared"),
    },
    ("series_uid",),
)

CANDIDATES = Contract(
    "candidates",
    {
        "candidate_id": Column("string", "<series_uid>#c<rank within the series>"),
        "series_uid": _SERIES,
        **_CENTER,
        "diameter_mm": Column(
            "float64", "as the detector measures it, mm; missing for given candidates", True, POSITIVE
        ),
        "detector_score": Column(
            "float64", "detector's probability, 0 to 1; missing for given candidates", True, SHARE
        ),
        "fold": Column("int64", "fold whose detector found the candidate; -1: that of all series", limits=Limits(-1)),
    },
    ("candidate_id",),
)

CANDIDATE_MASKS = Contract(
    "candidate_masks",
    {
        "candidate_id": Column("string", "candidate, as in the table of candidates"),
        "series_uid": _SERIES,
        **_CENTER,
        **{
            f"start_{axis}_vox": Column("int64", f"first voxel of the box along {axis}, in the volume")
            for axis in "zyx"
        },
        **{f"size_{axis}_vox": Column("int64", f"voxels of the box along {axis}", limits=POSITIVE) for axis in "zyx"},
        "mask": Column("string", "bits of the box in the order z, y, x, packed, deflated, base64"),
    },
    ("candidate_id",),
)

SCORED = Contract(
    "scored",
    {
        **CANDIDATES.columns,
        "fold": _FOLD,
        "probability": Column("float64", "of being a nodule, after the scorer", limits=SHARE),
        "malignancy": Column(
            "float64", "probability of malignancy, given a nodule; missing without a scorer", True, SHARE
        ),
    },
    ("candidate_id",),
)

RATED = Contract(
    "rated",
    {
        "nodule_id": Column("string", "nodule, as in the table of nodules"),
        "fold": Column(
            "int64", "fold whose scorer, which never saw the nodule's patient, rated the nodule", limits=COUNT
        ),
        "malignancy": Column("float64", "calibrated probability of malignancy", limits=SHARE),
        "high_malignancy": Column("float64", "probability that a reader rates malignancy 4 or 5", True, SHARE),
        "measured_logit": Column("float64", "logit of malignancy by measures alone; missing without measures", True),
        **{
            f"{name}_expected": Column(
                "float64", f"expected rating of {name}, 1 to {highest}", True, Limits(1, highest)
            )
            for name, highest in CHARACTERISTICS.items()
        },
    },
    ("nodule_id",),
)

MEASURES = Contract(
    "measures",
    {"nodule_id": Column("string", "nodule, as in the table of nodules"), **measure_columns()},
    ("nodule_id",),
)

POINTS = Contract(
    "points",
    {
        "series_uid": _SERIES,
        **_CENTER,
        "kind": Column("string", "why the point is there: nodule, lung (random), candidate or hard (a false positive)"),
        "nodule_id": Column("string", "the nodule around the point; missing outside nodules", True),
        "diameter_mm": Column("float64", "of the nodule around the point, mm; missing outside nodules", True, POSITIVE),
        "is_nodule": Column("float64", "1 inside a nodule, 0 not; missing on an excluded finding", True, SHARE),
        "malignancy": Column("float64", "label of the nodule around the point; missing if unknown", True, SHARE),
        "is_crop": Column("bool", "whether the volume is a crop, all of which counts as lung"),
        "weight": Column("float64", "weight of the point in the loss", limits=COUNT),
    },
)

PATIENTS = Contract(
    "patients",
    {
        "patient_id": Column("string", "patient"),
        "fold": _FOLD,
        "num_scans": Column("int64", "scans of the patient in the evaluated subsets", limits=COUNT),
        "num_failed_scans": Column("int64", "of these the scans that could not be prepared", limits=COUNT),
        "num_candidates": Column("int64", "candidates over those scans", limits=COUNT),
        "malignancy": Column("float64", "the aggregate that the recipe's `patient` section names", True, SHARE),
        "malignancy_max": Column("float64", "largest probability x malignancy over the candidates", True, SHARE),
        "malignancy_noisy_or": Column("float64", "1 - product of (1 - probability x malignancy)", True, SHARE),
        "malignancy_top_mean": Column(
            "float64", "mean of the highest `num_top`; fewer candidates count as 0", True, SHARE
        ),
        "diameter_max_mm": Column(
            "float64", "largest diameter over candidates with probability >= 0.5, else 0", limits=COUNT
        ),
        "is_malignant": Column("float64", "1 a malignant nodule by the rule, 0 none; missing: unrated", True, SHARE),
        "remark": Column("string", "why a malignancy is missing or incomplete; empty if it is not"),
        "decided_by": Column("string", "candidate with the largest probability x malignancy", True),
        "decided_series_uid": Column("string", "its series", True),
        **{
            f"decided_{name}": Column("float64", f"its centre, world {name[7]}, LPS mm", True)
            for name in CENTER_COLUMNS
        },
        "decided_slice": Column("float64", "its slice in the stored volume, from 1", True, POSITIVE),
        "decided_diameter_mm": Column("float64", "its diameter, mm", True, POSITIVE),
        "decided_volume_mm3": Column("float64", "volume of the sphere of its diameter, mm3", True, POSITIVE),
        "decided_fleischner_size": Column("string", "size class of a solid nodule, Fleischner Society 2017", True),
        "decided_lung_rads_size": Column(
            "string", "size class of a solid nodule at a first scan, Lung-RADS v2022", True
        ),
    },
    ("patient_id", "fold"),
)

HISTORY = Contract(
    "history",
    {
        "step": Column("int64", "optimiser steps taken", limits=COUNT),
        "metric": Column("string", "name of the metric"),
        "value": Column("float64", "its value"),
    },
    ("step", "metric"),
)
