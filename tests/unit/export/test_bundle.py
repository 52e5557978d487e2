"""Bundles of models: programs compute what the model computes, and commands load the models from the bundle alone."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ball_parts import ball_detector, masked_scorer
from random_detector import write_random_detector, write_random_part, write_random_scorer
from safetensors.torch import save as save_bytes
from typer.testing import CliRunner

from lungpipe.bundles import BundleError, Manifest, read_bundle, write_bundle
from lungpipe.bundles.bundle import file_facts
from lungpipe.cli.main import app
from lungpipe.export.bundle import Wishes, bundle_model
from lungpipe.export.programs import LARGEST_DIFFERENCE, make_programs
from lungpipe.models import apply_network, join_models, load_model
from lungpipe.models.stored import load_models, load_role
from lungpipe.patients.detect import load_detector
from lungpipe.patients.score import load_scorer
from lungpipe.prediction.model import load_model as load_for_prediction
from lungpipe.settings.recipe import TrainedDetector, TrainedScorer

KINDS = {"torchscript", "torch_export", "onnx"}
CARD = "# small\n\n## Licence and attribution\n\nCC BY 9.9, somebody.\n\n## More\n\nmore\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "small"
    write_random_detector(folder / "detector.safetensors", saw=("1.1", "1.2"))
    write_random_scorer(folder / "scorer.safetensors", is_rating=True)
    (folder / "MODEL_CARD.md").write_text(CARD)
    return folder


@pytest.fixture(scope="module")
def path(folder):
    """A bundle with all programs."""
    bundle_model(folder, folder.parent / "small.lungpipe")
    return folder.parent / "small.lungpipe"


@pytest.fixture(scope="module")
def bundle(path):
    return read_bundle(path)


def test_the_manifest_says_what_the_model_is(bundle, folder):
    manifest = bundle.manifest
    assert (manifest.name, manifest.licence, manifest.label_rule) == ("small", "CC BY 9.9, somebody.", "not stated")
    assert manifest.notice == "Research use only, not a medical device"
    detector = manifest.models["detector"]
    card = load_model(folder / "detector.safetensors").card
    assert detector.card == json.loads(json.dumps(card.to_content()))
    assert len(detector.card["training_series"]) == 2
    assert [one.shape for one in detector.inputs] == [("batch", 1, "4 z", "4 y", "4 x")]
    assert {one.name: one.shape for one in detector.outputs} == {
        "diameter": ("batch", 1, "z / 2", "y / 2", "x / 2"),
        "heatmap": ("batch", 1, "z / 2", "y / 2", "x / 2"),
        "mask": ("batch", 1, "z", "y", "x"),
        "offset": ("batch", 3, "z / 2", "y / 2", "x / 2"),
    }
    scorer = manifest.models["scorer"]
    assert [one.name for one in scorer.inputs] == ["hu", "diameter_mm"]
    assert {one.name: one.shape for one in scorer.outputs}["ratings"] == ("batch", 9, 6)
    for facts in manifest.models.values():
        assert set(facts.programs) == KINDS
        assert all(max(program.largest_difference.values()) < 1e-4 for program in facts.programs.values())
    assert bundle.files["detector.safetensors"] == (folder / "detector.safetensors").read_bytes()


def run(kind, content, inputs):
    """Run a program as another software would."""
    if kind == "torchscript":
        return torch.jit.load(io.BytesIO(content))(*inputs)
    if kind == "torch_export":
        return torch.export.load(io.BytesIO(content)).module()(*inputs)
    import onnxruntime

    session = onnxruntime.InferenceSession(content)
    names = [one.name for one in session.get_inputs()]
    outputs = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    return [torch.from_numpy(value) for value in outputs]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("role", ["detector", "scorer"])
def test_programs_compute_the_models_logits_from_hu(bundle, folder, role, kind):
    facts, model = bundle.manifest.models[role], load_model(folder / f"{role}.safetensors")
    generator = torch.Generator().manual_seed(1)
    side = int(model.card.settings["sampling"]["patch_size_vox"])
    shape = (1, 1, 20, 12, 16) if role == "detector" else (5, 1, side, side, side)
    inputs = [torch.randint(-2000, 3000, shape, generator=generator).float()]
    if role == "scorer":
        inputs.append(torch.tensor([4.0, torch.nan, 30.0, 8.5, torch.nan]))
    with torch.no_grad():
        expected = apply_network(model.members[0], inputs[0], inputs[1] if role == "scorer" else None)
        found = run(kind, bundle.files[facts.programs[kind].file], inputs)
    assert len(found) == len(facts.outputs)
    for one, value in zip(facts.outputs, found, strict=True):
        assert value.shape == expected[one.name].shape
        np.testing.assert_allclose(value, expected[one.name], atol=1e-4, rtol=1e-4)


def test_onnx_names_its_inputs_and_outputs(bundle):
    import onnxruntime

    for facts in bundle.manifest.models.values():
        session = onnxruntime.InferenceSession(bundle.files[facts.programs["onnx"].file])
        assert [one.name for one in session.get_inputs()] == [one.name for one in facts.inputs]
        assert [one.name for one in session.get_outputs()] == [one.name for one in facts.outputs]


def test_an_ensembles_programs_return_the_mean(tmp_path):
    # two rating networks share their first layer and the logarithm of the diameter
    one = load_model(write_random_scorer(tmp_path / "a.safetensors", is_rating=True))
    two = load_model(tmp_path / "a.safetensors")
    with torch.no_grad():
        two.members[0].nodule.bias += 2.0
    programs = make_programs(join_models([one, two]), "a")
    side = int(one.card.settings["sampling"]["patch_size_vox"])
    inputs = [torch.zeros((1, 1, side, side, side)), torch.tensor([7.0])]
    with torch.no_grad():
        expected = one.members[0](*inputs)["nodule"] + 1.0
        for kind in KINDS:
            outputs = run(kind, programs.contents[kind], inputs)
            place = [each.name for each in programs.outputs].index("nodule")
            torch.testing.assert_close(outputs[place], expected, atol=1e-5, rtol=1e-5)


def test_scorers_that_see_the_masks_of_different_detectors_are_no_programs(tmp_path):
    part = masked_scorer(ball_detector({"kind": "center_net", "output_stride": 2}))
    one, two = (load_model(write_random_part(tmp_path / "a.safetensors", "scorer", part)) for _ in range(2))
    assert set(make_programs(join_models([one, two]), "a").contents) == KINDS
    two.members[0].get_submodule("intensity.mask.network.mask").bias.data += 1.0
    with pytest.raises(BundleError, match="a: expected scorers that see the mask of one detector, found members with"):
        make_programs(join_models([one, two]), "a")


def test_a_program_that_computes_something_else_is_not_delivered(folder, monkeypatch):
    model = load_model(folder / "detector.safetensors")
    monkeypatch.setattr("lungpipe.export.programs._onnx", lambda *_: b"")
    wrong = {"onnx": lambda _, inputs: [torch.full((1,), 9.0)] * 4}
    monkeypatch.setattr("lungpipe.export.programs._RUN", dict.fromkeys(KINDS, wrong["onnx"]))
    with pytest.raises(BundleError, match=rf"a: \w+: \w+: expected the model's logits within {LARGEST_DIFFERENCE:g}"):
        make_programs(model, "a")


def test_without_onnx_the_extra_is_named(folder, monkeypatch, tmp_path):
    monkeypatch.setattr("lungpipe.export.programs.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(BundleError, match=r"extra bundle \(pip install -e '\.\[bundle\]'\), found no onnxscript"):
        bundle_model(folder, tmp_path / "a.lungpipe")
    bundle_model(folder, tmp_path / "a.lungpipe", Wishes(name="other", licence="mine", has_programs=False))
    manifest = read_bundle(tmp_path / "a.lungpipe").manifest
    assert (manifest.name, manifest.licence, manifest.models["scorer"].programs) == ("other", "mine", {})


def test_every_command_loads_its_model_from_the_bundle_without_a_pickle(path, folder, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something is unpickled")

    for name in (
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "torch.load",
        "torch.jit.load",
        "torch.export.load",
    ):
        monkeypatch.setattr(name, refuse)
    own = load_models(folder)
    loaded = load_for_prediction(path, device="cpu", threads=1)
    assert loaded.digests == {role: one.digest for role, one in own.items()}
    assert loaded.cards == tuple(one.model.card for one in own.values())
    assert load_detector(path, "cpu", 1).card == own["detector"].model.card
    assert load_scorer(path, "cpu", 1).card == own["scorer"].model.card
    found, expected = load_role(path, "detector").members[0].state_dict(), own["detector"].model.members[0].state_dict()
    assert all(found[name].equal(expected[name]) for name in expected)


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('sprung')",)


def test_a_bundle_that_holds_a_pickle_or_other_tensors_for_a_model_is_refused(tmp_path, bundle):
    files = dict(bundle.files)
    for content, message in (
        (pickle.dumps(Trap()), "a.lungpipe: detector.safetensors: expected a model in safetensors"),
        (save_bytes({"weight": torch.zeros(1)}), "expected a model card, found safetensors without one"),
        (files["scorer.safetensors"], "expected a detector, found a scorer"),
        (b"", "expected a model in safetensors"),
    ):
        files["detector.safetensors"] = content
        manifest = Manifest.model_validate({**bundle.manifest.model_dump(), "files": file_facts(files)})
        write_bundle(tmp_path / "a.lungpipe", manifest, files)
        with pytest.raises(ValueError, match=message):
            load_models(tmp_path / "a.lungpipe")


def test_the_command_writes_encrypts_and_describes(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("LUNGPIPE_BUNDLE_KEY", raising=False)
    (tmp_path / "key").write_text("a1" * 32)
    out, key = tmp_path / "a.lungpipe", ["--key-file", str(tmp_path / "key")]
    command = ["bundle", str(folder), "--out", str(out), "--no-programs", "--encrypt", *key]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert "small: detector, scorer (lungpipe" in answer.output
    assert "Research use only, not a medical device" in answer.output
    assert CliRunner().invoke(app, command).exit_code == 2
    answer = CliRunner().invoke(app, ["bundle", str(out)])
    assert answer.exit_code == 2
    assert "expected a key file, or LUNGPIPE_BUNDLE_KEY" in answer.output
    answer = CliRunner().invoke(app, ["bundle", str(out), "--json", *key])
    assert json.loads(answer.output)["models"]["detector"]["file"] == "detector.safetensors"
    assert load_detector(out, "cpu", 1, key_file=tmp_path / "key").card.recipe == "random"
    for words, message in (
        ([str(folder)], "expected a bundle"),
        ([str(out), "--out", str(tmp_path / "b.lungpipe")], "found a bundle"),
    ):
        answer = CliRunner().invoke(app, ["bundle", *words])
        assert answer.exit_code == 2
        assert message in answer.output


RECIPES = Path(__file__).parents[3] / "recipes"


def trained_parts():
    for path in sorted(RECIPES.glob("*.yaml")):
        sections = yaml.safe_load(path.read_text())
        yield from ((path.stem, role) for role in ("detector", "scorer") if sections[role]["kind"] == "trained")


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "role"), trained_parts())
def test_the_networks_of_every_recipe_become_programs(tmp_path, recipe, role):
    sections = yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text())
    kind = TrainedDetector if role == "detector" else TrainedScorer
    path = write_random_part(tmp_path / "a.safetensors", role, kind.model_validate(sections[role]))
    programs = make_programs(load_model(path), recipe)
    assert set(programs.contents) == KINDS
    for differences in programs.differences.values():
        assert max(differences.values()) < LARGEST_DIFFERENCE
