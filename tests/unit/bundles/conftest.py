"""A small bundle without networks, and an environment without keys."""

import pytest

from lungpipe.bundles import Manifest, ModelFacts
from lungpipe.bundles.bundle import file_facts

FILES = {"detector.safetensors": b"weights of a detector", "MODEL_CARD.md": b"# small\n"}


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch):
    for name in ("LUNGPIPE_BUNDLE_KEY", "LUNGPIPE_BUNDLE_PASSPHRASE", "LUNGPIPE_TRUSTED_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def files():
    return dict(FILES)


@pytest.fixture
def manifest(files):
    facts = ModelFacts(file="detector.safetensors", card={"role": "detector"}, inputs=(), outputs=(), programs={})
    return Manifest(
        notice="Research use only, not a medical device",
        name="small",
        lungpipe_version="0",
        licence="CC BY 9.9",
        label_rule="median",
        models={"detector": facts},
        files=file_facts(files),
    )
