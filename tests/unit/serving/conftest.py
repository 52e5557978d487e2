"""A bundle of models with random weights, and a request."""

import json

import pytest
from random_detector import write_random_detector, write_random_scorer

from lungpipe.export.bundle import Wishes, bundle_model
from lungpipe.serving.example import write_example


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "small"
    write_random_detector(folder / "detector.safetensors")
    write_random_scorer(folder / "scorer.safetensors")
    bundle_model(folder, folder.parent / "small.lungpipe", Wishes(has_programs=False))
    return folder.parent / "small.lungpipe"


@pytest.fixture(scope="session")
def example(tmp_path_factory):
    """The file of a request."""
    write_example(tmp_path_factory.mktemp("request") / "example.json")
    return tmp_path_factory.getbasetemp().glob("request*/example.json").__next__()


@pytest.fixture(scope="session")
def request_content(example):
    return json.loads(example.read_text())
