"""The base of every settings model: frozen, and without unknown keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A frozen settings model that refuses unknown keys; a one-line string below every field describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
TripleMm = tuple[PositiveFloat, PositiveFloat, PositiveFloat]
