"""Load the model of a fold, and refuse another fold's."""

from pathlib import Path

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.models.card import Role
from lungpipe.models.model import Model, load_model


def load_fold_model(path: Path, role: Role, fold: Split | int) -> Model:
    """Load a model that learned a fold of the study.

    A fold's number is compared with the card's, a split with the card's training and validation series, too.

    Raises:
        LeakError: a model of another fold, or one that lacks series of the split; the message names the file.
        ValueError, OSError: as `load_model`.
    """
    model = load_model(path, expect_role=role)
    try:
        if isinstance(fold, Split):
            model.card.expect_split(fold)
        else:
            model.card.expect_fold(fold)
    except LeakError as error:
        raise LeakError(f"{path}: {error}") from None
    return model
