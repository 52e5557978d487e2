"""Recipes whose scorer sees the detector's mask: the same network twice, and a detector that trains its mask."""

import pytest
import yaml

from lungpipe.settings import SettingsError, load_study
from lungpipe.settings.load import read_recipe


@pytest.fixture
def root(request):
    return request.config.rootpath


@pytest.fixture
def load(root, tmp_path):
    """Load a study of the recipe `flagship_mask` with changed keys, given as `detector.kind`."""

    def load(changes, **study):
        content = read_recipe(root / "recipes", "flagship_mask")
        for name, value in changes.items():
            *keys, last = name.split(".")
            section = content
            for key in keys:
                # YAML's aliases are one mapping
                section[key] = dict(section[key])
                section = section[key]
            section[last] = value
        (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
        return load_study({"recipe": "odd", **study}, tmp_path)

    return load


def test_the_recipe_is_the_flagship_but_for_the_scorers_network(root):
    masked, flagship = (read_recipe(root / "recipes", name) for name in ("flagship_mask", "flagship"))
    added = {"kind": "masked_rating_net", "detector": flagship["detector"]["network"], "weights_path": None}
    flagship["scorer"]["network"] |= added
    assert masked == flagship


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"detector.network.channels": [8, 16]}, "scorer.network.detector: expected the settings of detector.network"),
        ({"scorer.network.weights_path": "a.safetensors"}, "scorer.network.weights_path: expected null, .* found 'a"),
        (
            {"detector.training.objective.mask_weight": 0.0, "detector.inference.decode.refine": "none"},
            "detector.training.objective.mask_weight: expected a trained mask .* found 0",
        ),
        ({"detector": {"kind": "given"}}, "detector.kind: expected trained, or candidates_of, .* found 'given'"),
        (
            {"scorer.sampling.patch_size_vox": 44},
            "scorer.sampling.patch_size_vox: expected a multiple of the total stride 8 of network.detector, found 44",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(load, changes, expected):
    with pytest.raises(SettingsError, match=f"^config: {expected}") as caught:
        load(changes)
    assert len(str(caught.value).splitlines()) == 1


def test_the_candidates_of_another_study_come_with_its_detector(load):
    study = load({}, candidates_of="flagship", name="masked")
    assert study.detector.kind == "given"
    assert study.scorer.network.detector.kind == "center_net"
