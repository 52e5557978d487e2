"""result.json: a prediction in a published format (JSON Schema: docs/result.schema.json)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lungpipe import __version__
from lungpipe.geometry import Grid
from lungpipe.models import digest_of
from lungpipe.prediction.limits import Reason
from lungpipe.prediction.model import LoadedModel, device_name
from lungpipe.prediction.privacy import without_identifiers
from lungpipe.prediction.result import NOTICE, Candidate, Prediction, Side

FORMAT_VERSION: Final = 1


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


class Point(_Part):
    """A world position: LPS millimetres (x to the patient's left, y to the back, z to the head)."""

    x: float
    y: float
    z: float


class GridFacts(_Part):
    """A grid of voxels; arrays and directions are in the order z, y, x."""

    shape_zyx: tuple[int, int, int]
    """number of voxels along each axis of the array"""
    spacing_zyx_mm: tuple[float, float, float]
    """distance of voxels along each axis of the array, mm"""
    origin_zyx_mm: tuple[float, float, float]
    """world position of voxel (0, 0, 0), LPS mm"""
    direction_zyx: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    """column j is the unit vector along array axis j in world coordinates"""


class ScanFacts(_Part):
    """The scan that was searched."""

    series_digest: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of the series instance UID"""
    grid: GridFacts
    """the scan's own grid, on which the masks are written"""
    remarks: tuple[str, ...]
    """differences between what was assumed and what the files say; identifiers are left out"""


class ModelFacts(_Part):
    """The model."""

    recipe: str
    """recipe of the detector"""
    files: dict[Literal["detector", "scorer"], str]
    """SHA-256 of the model file of each role"""
    spacing_zyx_mm: tuple[float, float, float]
    """spacing of the voxels that the networks see, mm"""
    was_trained_on_scan: bool
    """whether a network was trained or validated on this series: the result then says nothing of the model's quality"""


class ComputeFacts(_Part):
    """What the prediction ran on, and how long."""

    device: str
    """cpu, or the name of the GPU"""
    precision: str
    """number type of the networks"""
    threads: int
    """CPU threads"""
    times_s: dict[str, float]
    """wall time of each stage, seconds"""
    peak_memory_mib: float
    """largest memory of the process so far, MiB"""


class CandidateFacts(_Part):
    """One possible nodule."""

    number: int = Field(ge=1)
    """1 is the most probable; the label in nodules.nii.gz"""
    center_mm: Point
    """world position of the centre"""
    slice_number: int = Field(ge=1)
    """slice that holds the centre, from 1 along the first axis of the scan's array"""
    first_slice: int = Field(ge=1)
    """first slice of the mask"""
    last_slice: int = Field(ge=1)
    """last slice of the mask"""
    diameter_mm: float = Field(ge=0)
    """by the networks"""
    volume_mm3: float = Field(ge=0)
    """of the mask"""
    has_mask: bool
    """whether the network gave the mask; otherwise the mask is a ball of the diameter"""
    detector_score: float = Field(ge=0, le=1)
    """probability of a nodule by the detector alone"""
    probability: float = Field(ge=0, le=1)
    """probability of a nodule by detector and scorer"""
    malignancy: float | None = Field(ge=0, le=1)
    """probability of malignancy given a nodule, as readers would rate it; null without a scorer"""
    side: Side | None
    """the lung that holds the centre or is nearest; null where no lung is near"""
    ratings: dict[str, float] | None
    """expected rating by a reader (1 to 5, calcification to 6) of LIDC-IDRI's characteristics; null if not rated"""


class PatientFacts(_Part):
    """All candidates of the scan together, those below the threshold included."""

    num_candidates: int = Field(ge=0)
    """number of candidates"""
    malignancy_max: float | None
    """largest probability x malignancy; null without a scorer"""
    malignancy_noisy_or: float | None
    """1 - product of (1 - probability x malignancy); null without a scorer"""
    diameter_max_mm: float
    """largest diameter of candidates with a probability of at least 0.5, else 0"""


class Result(_Part):
    """A finished prediction."""

    notice: Literal["Research use only, not a medical device"] = NOTICE
    """always the same sentence"""
    format_version: Literal[1] = FORMAT_VERSION
    """version of this format"""
    status: Literal["done"] = "done"
    """a scan that was refused has another document"""
    lungpipe_version: str
    """version of lungpipe"""
    created: datetime
    """time of the prediction, UTC"""
    threshold: float = Field(ge=0, le=1)
    """candidates of a lower probability are left out"""
    is_whole: bool
    """whether the whole volume was searched instead of the lungs"""
    scan: ScanFacts
    """the scan"""
    model: ModelFacts
    """the model"""
    compute: ComputeFacts
    """time and memory"""
    lungs_ml: dict[Side, float] | None
    """volume of each lung, ml; null if lungs were not sought"""
    candidates: tuple[CandidateFacts, ...]
    """possible nodules by falling probability"""
    patient: PatientFacts
    """all candidates together"""
    files: tuple[str, ...]
    """the other files of this prediction, in the folder of result.json"""


class Refusal(_Part):
    """A scan that was refused; nothing else is written for such a scan."""

    notice: Literal["Research use only, not a medical device"] = NOTICE
    """always the same sentence"""
    format_version: Literal[1] = FORMAT_VERSION
    """version of this format"""
    status: Literal["refused"] = "refused"
    """a finished prediction has another document"""
    lungpipe_version: str = Field(default_factory=lambda: __version__)
    """version of lungpipe"""
    reason: Reason | Literal["failed"]
    """why; `failed` is an unexpected error"""
    message: str
    """what was expected and what was found; identifiers are left out"""


def to_document(
    prediction: Prediction, model: LoadedModel, *, source: Path | None = None, files: tuple[str, ...] = ()
) -> Result:
    """Return the document of a prediction; `files` are the names of the files beside result.json."""
    card = model.detector.card
    return Result(
        lungpipe_version=__version__,
        created=datetime.now(UTC).replace(microsecond=0),
        threshold=prediction.threshold,
        is_whole=prediction.lungs_ml is None,
        scan=ScanFacts(
            series_digest=digest_of(prediction.series_uid),
            grid=_grid(prediction.scan_grid),
            remarks=tuple(without_identifiers(remark, source) for remark in prediction.remarks),
        ),
        model=ModelFacts(
            recipe=card.recipe,
            files=model.digests,
            spacing_zyx_mm=card.spacing_zyx_mm,
            was_trained_on_scan=prediction.was_seen_in_training,
        ),
        compute=ComputeFacts(
            device=device_name(model.hardware),
            precision=str(model.hardware.dtype).removeprefix("torch."),
            threads=model.threads,
            times_s=dict(prediction.times_s),
            peak_memory_mib=prediction.peak_memory_mib,
        ),
        lungs_ml=None if prediction.lungs_ml is None else dict(prediction.lungs_ml),
        candidates=tuple(_candidate(candidate) for candidate in prediction.candidates),
        patient=PatientFacts(**{name: getattr(prediction.patient, name) for name in PatientFacts.model_fields}),
        files=files,
    )


def _candidate(candidate: Candidate) -> CandidateFacts:
    z, y, x = candidate.center_zyx_mm
    same = {name: getattr(candidate, name) for name in CandidateFacts.model_fields if name != "center_mm"}
    return CandidateFacts(center_mm=Point(x=x, y=y, z=z), **same)


def _grid(grid: Grid) -> GridFacts:
    return GridFacts(**{name: getattr(grid, name) for name in GridFacts.model_fields})
