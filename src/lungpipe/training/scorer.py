"""Train the scorer of one fold."""

from lungpipe.settings.recipe import TrainedScorer
from lungpipe.training.members import Material, Trained, TrainingJob, feed_plan, train_members


def train_scorer(
    part: TrainedScorer,
    material: tuple[Material, Material],
    job: TrainingJob,
    *,
    spacing_zyx_mm: tuple[float, float, float],
) -> Trained:
    """Train new scorers on `material` = (training, validation); same seed, machine and threads: same bytes.

    Raises:
        ValueError: training points of one class only, or no validation points.
        FloatingPointError, RuntimeError: see `fit`.
    """
    training, validation = material
    num_nodules, num_points = training.num_nodule_points, len(training.points)
    if not 0 < num_nodules < num_points or validation.points.empty:
        raise ValueError(
            f"scorer: expected nodules and others to train on and points to validate on, found {num_nodules} nodules "
            f"among {num_points} points, {len(validation.points)} for validation"
        )
    plan = feed_plan(part, job, spacing_zyx_mm, rest="others")
    return train_members(part, material, job, plan)
