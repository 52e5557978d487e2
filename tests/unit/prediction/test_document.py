"""result.json: its schema, and what it says of a prediction."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from lungpipe.prediction.document import Refusal, to_document
from lungpipe.prediction.predict import predict
from lungpipe.prediction.schema import schema_text

SCHEMA = Path(__file__).parents[3] / "docs" / "result.schema.json"


@pytest.fixture(scope="module")
def found(chest, model):
    return predict(chest, model=model, threshold=0.0)


@pytest.fixture(scope="module")
def document(found, model):
    return json.loads(to_document(found, model, files=("candidates.csv",)).model_dump_json())


def test_the_published_schema_is_up_to_date():
    assert SCHEMA.read_text() == schema_text(), "run `make generate`"


def test_results_and_refusals_follow_the_schema(document):
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    validator.validate(document)
    validator.validate(json.loads(Refusal(reason="no_lungs", message="a").model_dump_json()))
    for key in document:
        without = {name: value for name, value in document.items() if name != key}
        with pytest.raises(ValidationError):
            validator.validate(without)
    with pytest.raises(ValidationError):
        validator.validate(document | {"more": 1})


def test_positions_are_named_by_axis(found, document):
    z, y, x = found.candidates[0].center_zyx_mm
    assert document["candidates"][0]["center_mm"] == {"x": x, "y": y, "z": z}
    assert document["scan"]["grid"]["shape_zyx"] == list(found.scan_grid.shape_zyx)


def test_no_identifier_is_in_the_document(found, document):
    text = json.dumps(document)
    assert found.series_uid not in text
    assert document["notice"] == "Research use only, not a medical device"
    assert document["model"]["was_trained_on_scan"] is False
