"""Train the classifier of one fold from cubes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungpipe.evaluation.ranking import auc
from lungpipe.models import Classifier, Hardware
from lungpipe.sampling import Cubes, augment
from lungpipe.settings import ClassifierSettings
from lungpipe.training.loop import Fit, Log, fit
from lungpipe.training.losses import classification_loss
from lungpipe.volumes.hounsfield import scale_intensity

CHECK_BATCH = 32


class ClassificationTask:
    """Draws balanced batches of cubes; validates by the AUC of the nodule head."""

    def __init__(
        self,
        network: Classifier,
        cubes: tuple[Cubes, Cubes],
        settings: ClassifierSettings,
        hardware: Hardware,
        *,
        seed: int,
    ) -> None:
        self.network, self.settings, self.hardware = network, settings, hardware
        self.training, self.validation = cubes
        self.positives = np.flatnonzero(self.training.is_nodule)
        self.negatives = np.flatnonzero(~self.training.is_nodule)
        self.rng = np.random.default_rng([seed, 2])

    def loss(self) -> Tensor:
        """Return the loss of one drawn, augmented batch."""
        size = self.settings.training.batch_size
        num_positive = round(size * self.settings.positive_fraction)
        rows = np.concatenate(
            [self.rng.choice(self.positives, num_positive), self.rng.choice(self.negatives, size - num_positive)]
        )
        slack = self.training.hu.shape[1] - self.settings.patch_size_vox
        patches = self._cut(self.training.hu, rows, self.rng.integers(0, slack + 1, (size, 3)))
        augmented, _ = augment(patches, None, self.rng, normalisation=self.settings.normalisation)
        with self.hardware.autocast():
            logits = self.network(self._to_device(augmented)[:, None])
        return classification_loss(
            logits,
            self._to_device(self.training.is_nodule[rows]),
            self._to_device(self.training.malignancy[rows]),
            self.settings.malignancy_weight,
        )

    @torch.inference_mode()
    def check(self) -> dict[str, float]:
        """Return validation AUCs of both heads, and the loss, whose negative is the score.

        The loss decides, not the AUC: on a small validation subset the AUC reaches 1 early and then tells no more.
        """
        start = np.full((len(self.validation), 3), (self.validation.hu.shape[1] - self.settings.patch_size_vox) // 2)
        logits = []
        for first in range(0, len(self.validation), CHECK_BATCH):
            rows = np.arange(first, min(first + CHECK_BATCH, len(self.validation)))
            patches = self._cut(self.validation.hu, rows, start[rows])
            with self.hardware.autocast():
                logits.append(self.network(self._to_device(patches)[:, None]).float().cpu())
        scores = torch.cat(logits)
        labels = torch.from_numpy(self.validation.is_nodule), torch.from_numpy(self.validation.malignancy)
        loss = float(classification_loss(scores, *labels, self.settings.malignancy_weight))
        metrics = {"score": -loss, "validation_loss": loss}
        known = ~np.isnan(self.validation.malignancy)
        judged = {
            "validation_nodule_auc": (self.validation.is_nodule, scores[:, 0].numpy()),
            "validation_malignancy_auc": (self.validation.malignancy[known] > 0.5, scores[known, 1].numpy()),
        }
        for name, (is_positive, values) in judged.items():
            if is_positive.any() and not is_positive.all():
                metrics[name] = float(auc(is_positive, values))
        return metrics

    def _cut(self, hu: NDArray[np.int16], rows: NDArray[np.intp], starts: NDArray[np.int64]) -> NDArray[np.float32]:
        size = self.settings.patch_size_vox
        patches = np.stack(
            [hu[(row, *(slice(a, a + size) for a in start))] for row, start in zip(rows, starts, strict=True)]
        )
        return scale_intensity(patches, self.settings.window_hu, self.settings.normalisation)

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.hardware.device)


def fit_classifier(
    cubes: tuple[Cubes, Cubes], settings: ClassifierSettings, hardware: Hardware, *, seed: int, log: Log
) -> tuple[Classifier, Fit]:
    """Train a new classifier on `cubes` = (training, validation); same seed, machine and threads: same bytes.

    Raises:
        ValueError: training cubes of one class only, or no validation cubes.
    """
    training, validation = cubes
    if training.is_nodule.all() or not training.is_nodule.any() or len(validation) == 0:
        raise ValueError(
            f"classifier: expected nodules and others to train on and cubes to validate on, found "
            f"{int(training.is_nodule.sum())} nodules among {len(training)}, {len(validation)} for validation"
        )
    torch.manual_seed(seed)
    network = Classifier(settings)
    task = ClassificationTask(network, cubes, settings, hardware, seed=seed)
    return network, fit(network, task, settings.training, hardware=hardware, log=log)
