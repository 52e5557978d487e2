"""Faults that training would survive in silence: each one, planted into a copy of the package, fails the unit tests."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import lungpipe

PACKAGE = Path(lungpipe.__file__).parent
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Fault:
    """One edit of one file, and the unit tests next to it that have to notice."""

    name: str
    file: str
    before: str
    after: str
    tests: str


FAULTS = [
    Fault(
        "the cross-entropy of the mask weighs nothing",
        "training/mask_objective.py",
        "return self.settings.entropy_weight * entropy / num_voxels",
        "return 0.0 * entropy / num_voxels",
        "training/test_mask_objective.py",
    ),
    Fault(
        "Dice of the mask is left out",
        "training/mask_objective.py",
        "num_voxels.clamp(min=1.0) + dice / num_judged.clamp(min=1e-6)",
        "num_voxels.clamp(min=1.0) + 0.0 * dice / num_judged.clamp(min=1e-6)",
        "training/test_mask_objective.py",
    ),
    Fault(
        "every voxel of a mask weighs the same",
        "training/mask_objective.py",
        "(counted + nodule * extra)",
        "counted",
        "training/test_mask_objective.py",
    ),
    Fault(
        "excluded findings are background of the mask",
        "training/mask_objective.py",
        "counted = (target_BZYX != IGNORED).float()",
        "counted = torch.ones_like(logits)",
        "training/test_mask_objective.py",
    ),
    Fault(
        "patches weigh the same in the mask loss whatever their rows say",
        "training/mask_objective.py",
        "return (entropy_B * weight_B).sum(), ((1.0 - dice) * is_judged * weight_B).sum()",
        "return entropy_B.sum(), ((1.0 - dice) * is_judged).sum()",
        "training/test_mask_objective.py",
    ),
    Fault(
        "excluded findings are background of the heat map",
        "training/center_objective.py",
        "focal = torch.where(targets.is_center > 0, center, other) * targets.is_counted",
        "focal = torch.where(targets.is_center > 0, center, other)",
        "training/test_center_objective.py",
    ),
    Fault(
        "the offset has the wrong sign",
        "training/center_objective.py",
        'outputs["offset"].float() - targets.offset',
        'outputs["offset"].float() + targets.offset',
        "training/test_center_objective.py",
    ),
    Fault(
        "the heat map's neighbours are not spared",
        "training/center_objective.py",
        "(1.0 - targets.heatmap) ** 4",
        "(1.0 - targets.heatmap) ** 2",
        "training/test_center_objective.py",
    ),
    Fault(
        "the diameter is not learned",
        "training/center_objective.py",
        '"diameter": settings.diameter_weight',
        '"diameter": 0.0',
        "training/test_center_objective.py",
    ),
    Fault(
        "malignancy is not learned",
        "training/score_objective.py",
        '"malignancy": settings.malignancy_weight',
        '"malignancy": 0.0',
        "training/test_score_objective.py",
    ),
    Fault(
        "unknown malignancy counts as benign",
        "training/score_objective.py",
        "return (~patches.labels[HEADS[head]].isnan()).float()",
        "return torch.ones_like(patches.labels[HEADS[head]])",
        "training/test_score_objective.py",
    ),
    Fault(
        "the gradient is not clipped",
        "training/step.py",
        "self.training.gradient_limit)",
        "float('inf'))",
        "training/test_step.py",
    ),
    Fault(
        "gradients of earlier steps add up",
        "training/step.py",
        "        optimiser.zero_grad(set_to_none=True)\n",
        "",
        "training/test_step.py",
    ),
    Fault(
        "the parts of a batch are averaged, each by its own counts",
        "training/step.py",
        "self.objective.loss(outputs, patches, counts)",
        "self.objective.loss(outputs, patches)",
        "training/test_step.py",
    ),
    Fault(
        "dropout repeats itself in every step",
        "training/step.py",
        "torch.manual_seed(seed_of(self.seed, index, processes().rank))",
        "torch.manual_seed(seed_of(self.seed))",
        "training/test_step.py",
    ),
    Fault(
        "patches are not augmented",
        "training/step.py",
        "patches = augment(batch.to(self.hardware.device), self.training.augmentation, self.patch_size_vox)",
        "patches = TrainingPatches(batch.hu_BZYX.float()[:, None], batch.findings_BK5, batch.mask_BZYX, batch.labels, "
        "batch.weight_B, batch.spacing_zyx_mm)",
        "training/test_step.py",
    ),
    Fault(
        "the network trains in evaluation mode",
        "training/step.py",
        "self.network.train()",
        "self.network.eval()",
        "training/test_step.py",
    ),
    Fault(
        "a step reads its loss back",
        "training/step.py",
        "return loss.detach()",
        "return torch.tensor(loss.item())",
        "training/test_step.py",
    ),
    Fault(
        "a loss copies a size from the host",
        "training/center_objective.py",
        "    is_center = is_inside &",
        "    is_center = is_inside & (findings.new_tensor(halves_mm).sum() > 0) &",
        "training/test_step.py",
    ),
    Fault(
        "no weight decay",
        "training/optimiser.py",
        '"weight_decay": training.weight_decay}',
        '"weight_decay": 0.0}',
        "training/test_optimiser.py",
    ),
    Fault(
        "biases and norms decay too",
        "training/optimiser.py",
        '"weight_decay": 0.0}',
        '"weight_decay": training.weight_decay}',
        "training/test_optimiser.py",
    ),
    Fault(
        "the moving average never moves",
        "training/ema.py",
        "self._weights, 1.0 - decay)",
        "self._weights, 0.0)",
        "training/test_ema.py",
    ),
    Fault(
        "running statistics of the average stay those of the start",
        "training/ema.py",
        "copied.copy_(buffer)",
        "buffer.add_(0)",
        "training/test_ema.py",
    ),
    Fault(
        "the moving average is off",
        "training/trainer.py",
        "MovingAverage(network, training.ema_decay)",
        "MovingAverage(network, 0.0)",
        "training/test_trainer.py",
    ),
    Fault(
        "the learning rate stays at its peak",
        "training/trainer.py",
        "rate = learning_rate(self.num_taken, self.training)",
        "rate = self.training.learning_rate",
        "training/test_trainer.py",
    ),
    Fault(
        "no warm-up",
        "training/schedule.py",
        "if index < num_warmup:",
        "if index < 0:",
        "training/test_schedule.py",
    ),
    Fault(
        "the last check is kept, not the best",
        "training/trainer.py",
        'if summary["score"] > self.outcome.best_score:',
        "if True:",
        "training/test_trainer.py",
    ),
    Fault(
        "the weights at the end are kept, not those of the best check",
        "training/trainer.py",
        "self.network.load_state_dict(self.best)",
        "self.network.load_state_dict(self.average.network.state_dict())",
        "training/test_trainer.py",
    ),
    Fault(
        "a training that goes on forgets the optimiser's momenta",
        "training/trainer.py",
        '        self.optimiser.load_state_dict(state["optimiser"])\n',
        "",
        "training/test_resume.py",
    ),
    Fault(
        "a training that goes on forgets its average",
        "training/trainer.py",
        '        self.average.network.load_state_dict(state["average"])\n',
        "",
        "training/test_resume.py",
    ),
    Fault(
        "a resume file of other data is used",
        "training/resume.py",
        'if content["identity"] != identity:',
        "if False:",
        "training/test_resume.py",
    ),
    Fault(
        "processes keep their own gradients",
        "training/distributed.py",
        "    distributed.all_reduce(message)\n",
        "",
        "training/test_distributed.py",
    ),
    Fault(
        "every member has the same seed",
        "training/members.py",
        "self.fold + 1, member)",
        "self.fold + 1)",
        "training/test_members.py",
    ),
    Fault(
        "a scorer's batches are not balanced",
        "training/scorer.py",
        'feed_plan(part, job, spacing_zyx_mm, rest="others")',
        "feed_plan(part, job, spacing_zyx_mm)",
        "training/test_members.py",
    ),
    Fault(
        "small nodules are drawn no more often than large ones",
        "training/detector.py",
        "small_nodule_power=part.sampling.small_nodule_power",
        "small_nodule_power=0.0",
        "training/test_members.py",
    ),
    Fault(
        "no dropout",
        "models/resnet.py",
        "nn.Dropout(settings.dropout)",
        "nn.Dropout(0.0)",
        "training/test_step.py",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_fails_the_unit_tests(fault: Fault, tmp_path: Path) -> None:
    answer = run_with(fault, tmp_path)
    assert answer.returncode == 1, f"the tests of {fault.tests} pass with this fault:\n{answer.stdout[-2000:]}"
    assert " failed" in answer.stdout.splitlines()[-1], answer.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("tests", sorted({fault.tests for fault in FAULTS}))
def test_without_a_fault_the_same_tests_pass(tests: str, tmp_path: Path) -> None:
    answer = run_with(Fault("none", "training/schedule.py", "import math", "import math", tests), tmp_path)
    assert answer.returncode == 0, answer.stdout[-2000:]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_line_of_a_fault_is_there_once(fault: Fault) -> None:
    assert (PACKAGE / fault.file).read_text().count(fault.before) == 1
    assert (TESTS / "unit" / fault.tests).is_file()


def run_with(fault: Fault, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the fault's unit tests against a copy of the package that holds the fault."""
    copied = folder / "src" / "lungpipe"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    source = (copied / fault.file).read_text()
    (copied / fault.file).write_text(source.replace(fault.before, fault.after))
    environment = os.environ | {"PYTHONPATH": str(copied.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
    command += [f"--basetemp={folder / 'pytest'}", str(TESTS / "unit" / fault.tests)]
    return subprocess.run(
        command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
