"""The learning rate of each step, and the steps after which a training is validated."""

import math

from lungpipe.settings.recipe import TrainingSettings


def learning_rate(index: int, training: TrainingSettings) -> float:
    """Return the learning rate of the step with this index (0 to num_steps - 1).

    Linear warm-up over `warmup_fraction` of the steps, then half a cosine (Loshchilov & Hutter, ICLR 2017) that would
    reach 0 one step after the last. The rate depends on the index alone, so a resumed training needs no stored state.
    """
    num_warmup = math.ceil(training.warmup_fraction * training.num_steps)
    if index < num_warmup:
        return training.learning_rate * (index + 1) / num_warmup
    progress = (index - num_warmup) / max(training.num_steps - num_warmup, 1)
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def check_steps(training: TrainingSettings) -> tuple[int, ...]:
    """Return the numbers of steps after which a training is validated: evenly spaced, the last step included."""
    wanted = (round(training.num_steps * (check + 1) / training.num_checks) for check in range(training.num_checks))
    return tuple(sorted({step for step in wanted if step > 0}))
