"""The card of a model: its settings, what its networks were trained on, and the leak rules that follow."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args

from pydantic import Field, TypeAdapter, ValidationError

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.models.measured import MeasuredMalignancy
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer
from lungpipe.settings.scan_limits import ScanLimits

FORMAT_VERSION = 2
ADDED_KEYS = frozenset({"limits", "malignancy_rule", "measured"})
"""Keys that cards of format version 2 may lack, since lungpipe wrote the first of them without."""
MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE = "malignancy_intercept", "malignancy_slope"
"""Figures of a scorer that calibrate its logit of malignancy: intercept + slope x logit."""
MALIGNANCY_MEASURED = "malignancy_measured_slope"
"""Figure of a scorer with measures: slope of their logit, which is added."""
NODULE_INTERCEPT, NODULE_DETECTOR, NODULE_SCORER = "nodule_intercept", "nodule_detector_slope", "nodule_scorer_slope"
"""Figures of a scorer that join two logits of a nodule: intercept + slope x detector's logit + slope x scorer's."""
CALIBRATIONS = (
    (MALIGNANCY_INTERCEPT, MALIGNANCY_SLOPE),
    (MALIGNANCY_MEASURED,),
    (NODULE_INTERCEPT, NODULE_DETECTOR, NODULE_SCORER),
)
Role = Literal["detector", "scorer"]
PositiveMm = Annotated[float, Field(gt=0, allow_inf_nan=False)]
TripleMm = tuple[PositiveMm, PositiveMm, PositiveMm]
Digests = tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...]


class Best(Protocol):
    """The check of a training whose weights were kept."""

    best_step: int
    best_score: float


def digest_of(uid: str) -> str:
    """Return the SHA-256 of a series UID or patient ID; a card holds digests, so that no patient is named."""
    return hashlib.sha256(uid.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model and its training data; series and patients are SHA-256 digests, `fold` is None outside a study.

    `limits` are the scans that the model may judge. `malignancy_rule` is how ratings became labels of malignancy (a
    value of `evaluation.malignancy_rule`), None where that is unknown. `measured` are the regressions of malignancy on
    measures of HU and shape, one of each joined scorer; their logits are averaged.
    """

    role: Role
    recipe: str
    settings: Mapping[str, Any]
    spacing_zyx_mm: TripleMm
    fold: Annotated[int, Field(ge=0)] | None
    training_series: Digests
    validation_series: Digests
    patients: Digests
    data_digest: str
    best_steps: tuple[Annotated[int, Field(ge=0)], ...]
    figures: Mapping[str, Annotated[float, Field(allow_inf_nan=False)]]
    limits: ScanLimits = field(default_factory=ScanLimits)
    malignancy_rule: str | None = None
    measured: tuple[MeasuredMalignancy, ...] = ()
    format_version: int = FORMAT_VERSION

    @classmethod
    def of(
        cls,
        role: Role,
        recipe: str,
        part_settings: TrainedDetector | TrainedScorer,
        spacing_zyx_mm: TripleMm,
        *,
        split: Split,
        data_digest: str,
        outcomes: Sequence[Best],
        patient_ids: Iterable[str] = (),
        figures: Mapping[str, float] | None = None,
        measured: tuple[MeasuredMalignancy, ...] = (),
    ) -> "ModelCard":
        """Return the card of a model that was trained on a split, one outcome per member.

        A card is passed on with its model, so a path in the settings is reduced to the file's name.
        `patient_ids` are the patients of the training and validation series. The figure `validation_score` is the mean
        of the members' best scores; a model of all series has none. `figures` are further figures, `measured` the
        regressions on measures.
        """
        return cls(
            role=role,
            recipe=recipe,
            settings=_without_folders(part_settings.model_dump(mode="json")),
            spacing_zyx_mm=spacing_zyx_mm,
            fold=split.fold,
            training_series=_digests(split.training_uids),
            validation_series=_digests(split.validation_uids),
            patients=_digests(patient_ids),
            data_digest=data_digest,
            best_steps=tuple(outcome.best_step for outcome in outcomes),
            figures=({} if split.fold is None else _score(outcomes)) | dict(figures or {}),
            measured=measured,
        )

    @property
    def part(self) -> TrainedDetector | TrainedScorer:
        """The settings as an object; raises ValueError if they do not fit the role."""
        part = TrainedDetector if self.role == "detector" else TrainedScorer
        return part.model_validate(self.settings)

    @property
    def name(self) -> str:
        """The model's name in messages."""
        return f"{self.role} of recipe {self.recipe}"

    def expect_fold(self, fold: int | None) -> None:
        """Raise LeakError unless this model was trained for the fold; None is a model of all series."""
        if self.fold != fold:
            raise LeakError(f"{self.name}: expected {_name_fold(fold)}, found {_name_fold(self.fold)}")

    def expect_role(self, role: Role) -> None:
        """Raise ValueError unless this model has the role."""
        if self.role != role:
            raise ValueError(f"{self.name}: expected a {role}, found a {self.role}")

    def refuse_seen(self, series_uids: Iterable[str], patient_ids: Iterable[str] = ()) -> None:
        """Raise LeakError if any series, or any patient, was used to train this model or to choose its weights."""
        saw = {"series": {*self.training_series, *self.validation_series}, "patients": set(self.patients)}
        for kind, given in (("series", series_uids), ("patients", patient_ids)):
            seen = sorted(uid for uid in set(given) if digest_of(uid) in saw[kind])
            if seen:
                raise LeakError(
                    f"{self.name}: expected {kind} that it never saw, found {len(seen)} that it was trained or "
                    f"validated on, the first {seen[0]}"
                )

    def expect_split(self, split: Split) -> None:
        """Raise LeakError unless this model learned a fold of the study: its training and validation series.

        A model may have learned from further series, which `refuse_seen` knows as well.
        """
        self.expect_fold(split.fold)
        for kind, own, uids in (
            ("training", self.training_series, split.training_uids),
            ("validation", self.validation_series, split.validation_uids),
        ):
            if missing := set(_digests(uids)) - set(own):
                raise LeakError(
                    f"{self.name}: expected the {len(uids)} {kind} series of fold {split.fold} of this study, found a "
                    f"model that lacks {len(missing)} of them: it was trained on other data"
                )

    def to_content(self) -> dict[str, Any]:
        """Return the card as JSON content."""
        return asdict(self) | {"limits": self.limits.model_dump(mode="json")}

    @classmethod
    def from_content(cls, content: Any) -> "ModelCard":
        """Return the card that `to_content` gave.

        Raises:
            ValueError: no JSON object, an unknown format version, missing or unknown keys, values of another type, no
                training series, or settings that are not those of the role.
        """
        if not isinstance(content, dict):
            raise ValueError(f"model card: expected a JSON object, found {type(content).__name__}")
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(f"model card: expected format version {FORMAT_VERSION}, found {version}")
        keys = {key.name for key in fields(cls)}
        if wrong := sorted((keys - ADDED_KEYS) - set(content) | set(content) - keys):
            raise ValueError(f"model card: expected the keys {', '.join(sorted(keys))}, missing or unknown: {wrong[0]}")
        if content["role"] not in get_args(Role):
            raise ValueError(f"model card: expected the role detector or scorer, found {content['role']!r}")
        try:
            card = TypeAdapter(cls).validate_python(content)
        except ValidationError as error:
            raise ValueError(f"model card: {_first(error)}") from None
        try:
            _ = card.part
        except ValidationError as error:
            raise ValueError(f"model card: settings: {_first(error)}") from None
        if not card.training_series or (card.fold is not None and not card.validation_series):
            kind = "validation" if card.training_series else "training"
            raise ValueError(f"model card: expected the digests of its {kind} series, found none")
        return card


def _without_folders(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a part's settings with the name of the network's file of weights instead of its path."""
    network = settings["network"]
    if not network.get("weights_path"):
        return settings
    return settings | {"network": network | {"weights_path": Path(network["weights_path"]).name}}


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}, found {first['input']!r}"


def join_cards(cards: Sequence[ModelCard]) -> ModelCard:
    """Return the card of an ensemble of models, which saw everything that any of the models saw.

    An ensemble of models of different folds has no fold and no figures, since those were measured on different scans,
    but the mean of the models' calibrations that all have.

    Raises:
        ValueError: models of different roles, recipes, settings, spacing, limits or rules of malignancy.
    """
    first = cards[0]
    for card in cards[1:]:
        for key in ("role", "recipe", "settings", "spacing_zyx_mm", "limits", "malignancy_rule"):
            if getattr(card, key) != getattr(first, key):
                raise ValueError(f"{first.name}: expected one {key} in an ensemble, found {card.name} with another")
    is_one_fold = len({card.fold for card in cards}) == 1
    digests = sorted({card.data_digest for card in cards})
    return replace(
        first,
        fold=first.fold if is_one_fold else None,
        training_series=_union(card.training_series for card in cards),
        validation_series=_union(card.validation_series for card in cards),
        patients=_union(card.patients for card in cards),
        data_digest=digests[0] if len(digests) == 1 else digest_of("".join(digests)),
        best_steps=tuple(step for card in cards for step in card.best_steps),
        figures=mean_calibration(cards) if len(cards) > 1 else first.figures,
        measured=tuple(measured for card in cards for measured in card.measured),
    )


def mean_calibration(cards: Sequence[ModelCard]) -> dict[str, float]:
    """Return the means of the calibrations that all cards have."""
    shared = [keys for keys in CALIBRATIONS if all(key in card.figures for card in cards for key in keys)]
    return {key: sum(card.figures[key] for card in cards) / len(cards) for keys in shared for key in keys}


def _score(outcomes: Sequence[Best]) -> dict[str, float]:
    return {"validation_score": sum(outcome.best_score for outcome in outcomes) / max(len(outcomes), 1)}


def _name_fold(fold: int | None) -> str:
    return "a model without a fold" if fold is None else f"a model of fold {fold}"


def _digests(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({digest_of(uid) for uid in uids}))


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({digest for group in groups for digest in group}))
