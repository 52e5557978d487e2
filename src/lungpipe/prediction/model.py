"""The networks of a prediction, loaded once: a detector, and a scorer where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.models import Model, ModelCard, digest_of
from lungpipe.models.hardware import Hardware, name_hardware
from lungpipe.models.stored import load_models
from lungpipe.preparation.memory import count_cores
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer
from lungpipe.shipped import require_shipped_model


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A detector and a scorer (or none) on their hardware.

    `digests` has the SHA-256 of each model file by role. `threads` is the number of CPU threads. The scans that
    the model may judge are on the detector's card.
    """

    detector: Detector
    scorer: Scorer | None
    hardware: Hardware
    threads: int
    digests: dict[str, str]

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """The cards of detector and scorer."""
        return (self.detector.card,) if self.scorer is None else (self.detector.card, self.scorer.card)

    def has_seen(self, series_uid: str) -> bool:
        """Return whether a network was trained or validated on the series."""
        digest = digest_of(series_uid)
        return any(digest in (*card.training_series, *card.validation_series) for card in self.cards)


def load_model(
    source: Path | str | Sequence[Path | str] | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    key_file: Path | str | None = None,
) -> LoadedModel:
    """Load a model and keep it for any number of scans.

    `source` is a folder with detector.safetensors and, if there is one, scorer.safetensors; a bundle (.lungpipe); or
    one model file, or several. Without a source the model in the package is loaded. `key_file` holds the key of an
    encrypted bundle, unless the environment has the key (see `lungpipe.bundles.find_secret`). Without a scorer a
    candidate's probability is the detector's score, and its malignancy is unknown.
    `device` is auto, cpu, gpu or gpu:<number>. `threads` is the number of CPU threads, by default one per core.

    Raises:
        ValueError: no model in the package, no detector among the files, two files of one role, files of different
            spacings, a file that is no model or no bundle, a device that this machine does not have.
        FileNotFoundError: no such file.
    """
    if source is None:
        source = require_shipped_model()
    num_threads = threads or count_cores()
    hardware = name_hardware(device, num_threads)
    stored = load_models(source, None if key_file is None else Path(key_file))
    detector, scorer = stored["detector"].model, stored["scorer"].model if "scorer" in stored else None
    if scorer is not None and scorer.card.spacing_zyx_mm != detector.card.spacing_zyx_mm:
        found = f"found {scorer.card.spacing_zyx_mm}"
        raise ValueError(
            f"{stored['scorer'].name}: expected the detector's spacing {detector.card.spacing_zyx_mm}, {found}"
        )
    return LoadedModel(
        Detector(detector, TrainedDetector.model_validate(detector.card.settings).inference, hardware),
        None if scorer is None else _place_scorer(scorer, hardware),
        hardware,
        num_threads,
        {role: one.digest for role, one in stored.items()},
    )


def device_name(hardware: Hardware) -> str:
    """Return cpu, or the name of the GPU."""
    return torch.cuda.get_device_name(hardware.device) if hardware.device.type == "cuda" else "cpu"


def _place_scorer(model: Model, hardware: Hardware) -> Scorer:
    return Scorer(model, TrainedScorer.model_validate(model.card.settings).inference, hardware)
