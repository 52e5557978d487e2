"""The model in the package: what it finds in a phantom and in a real crop stays what was recorded with it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from shipped_outputs import outputs_in_crop, outputs_in_phantom

from lungpipe.models import read_card
from lungpipe.shipped import require_shipped_model

RECORD = Path(__file__).with_name("shipped_outputs.json")
TOLERANCES = {"center_zyx_mm": 0.05, "diameter_mm": 0.05, "score": 2e-3, "nodule_logit": 2e-2, "malignancy": 2e-3}
MAX_BYTES = 20 * 2**20


@pytest.fixture
def model():
    return require_shipped_model()


def check(found, place):
    expected = json.loads(RECORD.read_text())[place]
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=TOLERANCES[name], err_msg=name)


def test_a_phantom_gives_the_recorded_outputs(model):
    check(outputs_in_phantom(model), "phantom")


@pytest.mark.real_data
@pytest.mark.skipif("LUNGPIPE_SHARED" not in os.environ, reason="LUNGPIPE_SHARED names no folder of real data")
def test_a_real_crop_gives_the_recorded_outputs(model):
    check(outputs_in_crop(model), "crop")


def test_the_model_is_small_learned_from_all_series_and_has_a_card(model):
    weights = sorted(model.glob("*.safetensors"))
    assert sum(path.stat().st_size for path in weights) <= MAX_BYTES
    for path in weights:
        assert read_card(path).fold is None
    text = (model / "MODEL_CARD.md").read_text()
    for words in ("Research use only", "CC BY 3.0", "10.7937/K9/TCIA.2015.LO9QL9SX", "What it never saw"):
        assert words in text
