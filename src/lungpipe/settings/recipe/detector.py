"""Settings of a detector: network, sampling, training, inference; or candidates of the dataset."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveFloat, PositiveInt, Settings
from lungpipe.settings.recipe.networks import SMALLEST_FEATURES_VOX, CenterNetSettings, SliceUNetSettings, UNetSettings
from lungpipe.settings.recipe.training import TrainingSettings

DetectorNetwork = Annotated[UNetSettings | CenterNetSettings | SliceUNetSettings, Field(discriminator="kind")]


class DetectorSampling(Settings):
    """The windows that a detector is trained on."""

    patch_size_vox: PositiveInt = 32
    """side of a training patch, voxels; divisible by the network's total stride"""
    max_offset_vox: int = Field(default=12, ge=0)
    """largest random shift between a point and its patch's centre along each axis, voxels"""
    nodule_fraction: Fraction = 0.6
    """share of a batch drawn around nodules; the rest is drawn from all points"""
    lung_points_per_scan: PositiveInt = 5
    """random points in the lungs of every scan, with or without nodules"""
    small_nodule_power: float = Field(default=1.0, ge=0)
    """nodules are drawn in proportion to diameter ** -power; 1 draws 4 mm five times as often as 20 mm"""
    whole_scan_fraction: Fraction = 0.25
    """in a dataset of crops and whole scans: share of a batch drawn in whole scans outside nodules"""
    mask: Literal["sphere", "annotated"] = "sphere"
    """`sphere` paints balls of the annotated diameter; `annotated` uses nodule masks, balls without a mask"""


class MaskObjectiveSettings(Settings):
    """Voxel loss: weighted cross-entropy plus soft Dice, with the same weight for every nodule."""

    builds: ClassVar[str] = "lungpipe.training.mask_objective:MaskObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"mask"})

    kind: Literal["mask"] = "mask"
    """cross-entropy and Dice of the mask"""
    nodule_weight: PositiveFloat = 2000.0
    """total weight of the voxels of one nodule, in background voxels"""
    largest_weight: PositiveFloat = 100.0
    """largest weight of one voxel, in background voxels"""
    entropy_weight: PositiveFloat = 5.0
    """weight of the cross-entropy relative to Dice"""


class CenterObjectiveSettings(Settings):
    """Centre loss: focal loss of the heat map, L1 of offset and log diameter, and the mask loss."""

    builds: ClassVar[str] = "lungpipe.training.center_objective:CenterObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"heatmap", "offset", "diameter", "mask"})

    kind: Literal["center"] = "center"
    """focal loss of a centre heat map, offset, diameter and mask"""
    heatmap_sigma: PositiveFloat = 0.2
    """standard deviation of a heat map's Gaussian, in nodule diameters"""
    smallest_sigma_vox: PositiveFloat = 1.5
    """smallest standard deviation of a heat map's Gaussian, voxels"""
    offset_weight: float = Field(default=1.0, ge=0)
    """weight of the offset loss"""
    diameter_weight: float = Field(default=1.0, ge=0)
    """weight of the log-diameter loss"""
    mask_weight: float = Field(default=0.5, ge=0)
    """weight of the mask loss; 0 leaves the mask head untrained"""
    has_consensus_weights: bool = False
    """weight of a nodule is the share of the four readers who marked the nodule"""


DetectorObjective = Annotated[MaskObjectiveSettings | CenterObjectiveSettings, Field(discriminator="kind")]


class HardNegativeSettings(Settings):
    """The detector's own false positives in its training volumes, which become points that it learns from."""

    builds: ClassVar[str] = "lungpipe.inference.mining:find_false_positives"

    num_rounds: int = Field(default=0, ge=0)
    """searches of the training volumes while a detector is trained, each after a check; 0: no search"""
    first_fraction: Fraction = 0.5
    """share of the steps before the first search; further searches are spread over the other steps"""
    batch_fraction: Fraction = 0.2
    """share of a batch drawn around false positives once there are any"""
    min_probability: Fraction = 0.1
    """false positives of a lower probability are left out"""
    max_per_scan: PositiveInt = 20
    """only the strongest false positives of a scan are kept"""


class DetectorTraining(TrainingSettings):
    """Training of a detector."""

    objective: DetectorObjective = MaskObjectiveSettings()
    """loss and validation score"""
    hard_negatives: HardNegativeSettings = HardNegativeSettings()
    """false positives in the training volumes"""


class LumpDecoding(Settings):
    """Candidates are lumps of connected voxels above a threshold."""

    builds: ClassVar[str] = "lungpipe.inference.lumps:decode_lumps"
    needs: ClassVar[frozenset[str]] = frozenset({"mask"})

    kind: Literal["lumps"] = "lumps"
    """connected voxels"""
    threshold: Fraction = 0.2
    """voxels above this probability form lumps"""
    min_voxels: PositiveInt = 4
    """smaller lumps are dropped, voxels"""


class PeakDecoding(Settings):
    """Candidates are local maxima of the heat map."""

    builds: ClassVar[str] = "lungpipe.inference.peaks:decode_peaks"
    needs: ClassVar[frozenset[str]] = frozenset({"heatmap", "offset", "diameter"})

    kind: Literal["peaks"] = "peaks"
    """local maxima of the heat map"""
    threshold: Fraction = 0.02
    """maxima below this probability are dropped"""
    refine: Literal["none", "mask"] = "mask"
    """`mask` averages centre and diameter with those of the mask there, where the network has a trained mask"""


class DetectorInference(Settings):
    """How a detector searches a volume."""

    tile_size_vox: PositiveInt = 160
    """side of a cube with as many voxels as the largest tile, voxels; divisible by the network's total stride"""
    halo_vox: int = Field(default=16, ge=0)
    """context on each side of a tile that is computed and dropped, voxels; divisible by the network's total stride"""
    tiles_per_batch: PositiveInt = 1
    """tiles on the device at once"""
    decode: Annotated[LumpDecoding | PeakDecoding, Field(discriminator="kind")] = LumpDecoding()
    """from the network's output to candidates"""
    merge_distance_mm: float = Field(default=5.0, ge=0)
    """a candidate nearer than this (or than the radius) to a stronger candidate is merged into the stronger one, mm"""
    merge_overlap: Fraction | None = None
    """also merge candidates whose boxes have at least this intersection over union with a stronger one's; null: none"""
    max_per_scan: PositiveInt = 100
    """only the strongest candidates of a scan are kept (the official evaluation counts at most 100)"""


class TrainedDetector(Settings):
    """A network that is trained on the fold and detects candidates."""

    builds: ClassVar[str] = "lungpipe.inference.detector:Detector"

    kind: Literal["trained"] = "trained"
    """a trained network"""
    network: DetectorNetwork
    """the network"""
    sampling: DetectorSampling
    """training data"""
    training: DetectorTraining
    """training"""
    inference: DetectorInference
    """search"""

    @model_validator(mode="after")
    def _parts_fit(self) -> "TrainedDetector":
        stride, sampling, inference = self.network.total_stride, self.sampling, self.inference
        sides = {
            "sampling.patch_size_vox": sampling.patch_size_vox,
            "inference.tile_size_vox": inference.tile_size_vox,
            "inference.halo_vox": inference.halo_vox,
        }
        for name, side in sides.items():
            if side % stride:
                raise ValueError(f"{name}: expected a multiple of the network's total stride {stride}, found {side}")
        if sampling.patch_size_vox < SMALLEST_FEATURES_VOX * stride:
            expected = f"at least {SMALLEST_FEATURES_VOX} times the network's total stride {stride}"
            raise ValueError(f"sampling.patch_size_vox: expected {expected}, found {sampling.patch_size_vox}")
        if 2 * inference.halo_vox >= inference.tile_size_vox:
            found = f"{inference.halo_vox} for tiles of {inference.tile_size_vox}"
            raise ValueError(f"inference.halo_vox: expected less than half of tile_size_vox, found {found}")
        if 2 * sampling.max_offset_vox > sampling.patch_size_vox:
            found = f"{sampling.max_offset_vox} for patches of {sampling.patch_size_vox}"
            raise ValueError(f"sampling.max_offset_vox: expected at most half of patch_size_vox, found {found}")
        for part, needs in (
            (f"training.objective {self.training.objective.kind}", self.training.objective.needs),
            (f"inference.decode {inference.decode.kind}", inference.decode.needs),
        ):
            if missing := sorted(needs - self.network.heads):
                found = f"network {self.network.kind} without {', '.join(missing)}"
                raise ValueError(f"{part}: expected a network with the heads {', '.join(sorted(needs))}, found {found}")
        return self


class GivenCandidates(Settings):
    """No detector: the candidates of the dataset's candidates_V2.csv (or candidates.csv) are scored."""

    builds: ClassVar[str] = "lungpipe.datasets.given:select_candidates"

    kind: Literal["given"] = "given"
    """candidates of the dataset"""


DetectorSettings = Annotated[TrainedDetector | GivenCandidates, Field(discriminator="kind")]
