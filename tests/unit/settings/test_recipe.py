"""Recipes: complete files, studies that scale them, and parts that do not fit together."""

import ast
import copy
import importlib.util

import pytest
import yaml

from lungpipe.settings import SettingsError, StudySettings, load_study
from lungpipe.settings.explain import section_models
from lungpipe.settings.load import RECIPE_SECTIONS, missing_keys, read_recipe

SCALED = {"num_steps", "batch_size", "num_members", "num_checks"}


@pytest.fixture
def root(request):
    return request.config.rootpath


def recipe_names(root):
    names = sorted(path.stem for path in (root / "recipes").glob("*.yaml"))
    assert {"book", "centernet", "cnn3d", "flagship", "patch48", "slice2d", "slice2d_vgg16"} <= set(names)
    return names


def test_every_recipe_file_names_every_key_and_no_other(root):
    for name in recipe_names(root):
        recipe = read_recipe(root / "recipes", name)
        study = load_study({"recipe": name}, root / "recipes")
        dumped = study.model_dump(mode="json", include=set(RECIPE_SECTIONS))
        assert recipe == dumped, name
        assert list(missing_keys(recipe, dumped)) == []


def test_every_study_runs_every_recipe_and_scales_nothing_but_its_training(root, monkeypatch):
    monkeypatch.setenv("LUNA16_ROOT", "anywhere")
    studies = sorted((root / "studies").glob("*.yaml"))
    assert len(studies) >= 4
    for name in recipe_names(root):
        plain = load_study({"recipe": name}, root / "recipes").model_dump(include=set(RECIPE_SECTIONS))
        for path in studies:
            delta = yaml.safe_load(path.read_text())
            assert not set(delta) & {*RECIPE_SECTIONS, "recipe"}, path
            study = load_study(delta | {"recipe": name}, root / "recipes")
            assert set(differences(plain, study.model_dump(include=set(RECIPE_SECTIONS)))) <= SCALED, path


def differences(one, two):
    for key in {**one, **two}:
        if isinstance(one.get(key), dict) and isinstance(two.get(key), dict):
            yield from differences(one[key], two[key])
        elif one.get(key) != two.get(key):
            yield key


def put(*keys, value):
    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return edit


def both(*edits):
    return lambda content: [edit(content) for edit in edits]


def drop(*keys):
    return lambda content: content[keys[0]][keys[1]].pop(keys[2])


CENTER = {"kind": "center_net", "channels": [8, 16], "output_stride": 4, "skips": "add", "is_residual": True} | {
    "windows_hu": [[-1000, 400]],
    "normalisation": "zero_one",
}


UNET = {"kind": "unet", "channels": [8, 16, 32], "stem_stride": 2, "is_residual": True} | {
    "windows_hu": [[-1000, 400]],
    "normalisation": "zero_one",
}
MASK = {"kind": "mask", "nodule_weight": 2000.0, "largest_weight": 100.0, "entropy_weight": 5.0}


RESNET = {"kind": "resnet", "channels": [8, 16, 32], "dropout": 0.2, "windows_hu": [[-1000, 400]]} | {
    "normalisation": "zero_one",
}
SCORE = {"kind": "score", "malignancy_weight": 0.5}


def with_small_networks(content):
    """The recipe with a U-Net for a detector, which has only one head, and a ResNet without ratings for a scorer."""
    scorer = content["scorer"]
    scorer["network"], scorer["training"]["objective"] = dict(RESNET), dict(SCORE)
    detector = content["detector"]
    detector["network"], detector["training"]["objective"] = dict(UNET), dict(MASK)
    detector["inference"]["decode"] = {"kind": "lumps", "threshold": 0.2, "min_voxels": 4}
    return content


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (put("detector", "sampling", "patch_size_vox", value=36), "detector.sampling.patch_size_vox: .* 8, found 36"),
        (
            put("detector", "sampling", "patch_size_vox", value=16),
            "detector.sampling.patch_size_vox: expected at least 3 times the network's total stride 8, found 16",
        ),
        (put("detector", "inference", "tile_size_vox", value=92), "detector.inference.tile_size_vox: .* 8, found 92"),
        (put("detector", "inference", "halo_vox", value=12), "detector.inference.halo_vox: expected a mul.* found 12"),
        (
            put("detector", "inference", "halo_vox", value=80),
            "detector.inference.halo_vox: expected less .* tiles of 160",
        ),
        (put("detector", "network", "channels", value=[4] * 5), "detector.inference.halo_vox: .* stride 32, found 16"),
        (put("detector", "sampling", "max_offset_vox", value=17), "detector.sampling.max_offset_vox: .* patches of 32"),
        (
            put("detector", "inference", "decode", value={"kind": "peaks", "threshold": 0.1}),
            "detector.inference.decode peaks: expected a network with the heads diameter, heatmap, offset, found "
            "network unet without diameter, heatmap, offset",
        ),
        (
            put("detector", "training", "objective", value={"kind": "center"}),
            "detector.training.objective center: expected .*, found network unet without diameter, heatmap, offset",
        ),
        (put("scorer", "sampling", "patch_size_vox", value=16), "scorer.sampling.patch_size_vox: expected at least 17"),
        (
            both(
                put("scorer", "network", value={"kind": "cnn3d"}), put("scorer", "sampling", "patch_size_vox", value=8)
            ),
            "scorer.sampling.patch_size_vox: expected at least 12 for the network cnn3d, found 8",
        ),
        (
            both(
                put("scorer", "network", value={"kind": "block_cnn", "channels": [4, 4, 4]}),
                put("scorer", "sampling", "patch_size_vox", value=8),
            ),
            "scorer.sampling.patch_size_vox: expected at least 12 for the network block_cnn, found 8",
        ),
        (
            both(put("detector", value={"kind": "given"}), put("scorer", value={"kind": "unchanged"})),
            "scorer: expected a trained scorer for given candidates",
        ),
        (
            put("scorer", "training", "objective", value={"kind": "ratings"}),
            "scorer.training.objective ratings: expected .* malignancy, nodule, ratings, found network resnet without "
            "ratings",
        ),
        (
            put("scorer", "training", "fine_tune", value={"steps_share": 0.5, "learning_rate": 0.1}),
            "scorer.training.fine_tune: expected null .*, found settings for resnet",
        ),
        (
            put("scorer", "network", value={"kind": "block_cnn", "channels": [4], "tuned_blocks": 2}),
            "scorer.network.tuned_blocks: expected at most the 1 blocks of channels, found 2",
        ),
        (
            put("scorer", "network", value={"kind": "slice_cnn", "slices_per_plane": 2}),
            "scorer.network.slices_per_plane: expected an odd number, found 2",
        ),
        (
            put("scorer", "network", value={"kind": "slice_cnn", "slices_per_plane": 5, "slice_step_vox": 16}),
            "scorer.sampling.patch_size_vox: expected at least 65 for the network slice_cnn, found 48",
        ),
        (
            put("scorer", "network", value={"kind": "slice_vgg16", "frozen_blocks": 2}),
            "scorer.network.frozen_blocks: expected 0 without weights_path, found 2",
        ),
        (put("detector", "network", "channels", value=[0]), "detector.network.channels.0: .* found 0"),
        (put("detector", "network", "chanels", value=[4]), "unknown key 'detector.network.chanels'"),
        (
            put("detector", "network", "kind", value="vnet"),
            "detector.network.kind: .* unet, center_net, slice_unet, found 'vnet'",
        ),
        (
            drop("scorer", "network", "kind"),
            "scorer.network.kind: expected one of resnet, rating_net, masked_rating_net, cnn3d, block_cnn, slice_cnn, "
            "slice_vgg16, found none",
        ),
        (put("scorer", "kind", value="best"), "scorer.kind: expected one of trained, unchanged, found 'best'"),
        (put("scorer", value={"kind": "unchanged", "network": 1}), "unknown key 'scorer.network'"),
        (drop("detector", "training", "num_steps"), "detector.training.num_steps: expected a value, found none"),
        (
            put("detector", "training", "objective", "nodule_weight", value=-1),
            "detector.training.objective.nodule_weight: .* found -1",
        ),
        (put("scorer", "network", "windows_hu", value=[[40, 40]]), "scorer.network.windows_hu: .* found 40, 40"),
        (put("patient", "aggregate", value="mean"), "patient.aggregate: .* found 'mean'"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key_without_the_tags_of_unions(root, tmp_path, edit, expected):
    content = with_small_networks(copy.deepcopy(read_recipe(root / "recipes", "flagship")))
    edit(content)
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SettingsError, match=f"^config: {expected}") as caught:
        load_study({"recipe": "odd"}, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "edit",
    [
        put("detector", "inference", "halo_vox", value=40),
        put("detector", "inference", "halo_vox", value=0),
        put("detector", "sampling", "max_offset_vox", value=16),
        put("scorer", "sampling", "patch_size_vox", value=34),
        put("detector", value={"kind": "given"}),
        put("scorer", value={"kind": "unchanged"}),
    ],
)
def test_what_just_fits_is_taken(root, tmp_path, edit):
    content = read_recipe(root / "recipes", "flagship")
    edit(content)
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
    load_study({"recipe": "odd"}, tmp_path)


def test_a_network_with_all_heads_takes_either_objective_and_decoding(root, tmp_path):
    content = read_recipe(root / "recipes", "flagship")
    content["detector"]["network"] = CENTER
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content))
    assert load_study({"recipe": "odd"}, tmp_path).detector.network.heads >= {"mask", "heatmap"}


def built(model):
    yield from ([model.builds] if getattr(model, "builds", None) else [])
    for field in model.model_fields.values():
        for section in section_models(field.annotation):
            yield from built(section)


def test_every_class_that_settings_name_is_defined_in_the_module_that_they_name():
    names = sorted(set(built(StudySettings)))
    assert len(names) > 8
    for name in names:
        module, _, attribute = name.partition(":")
        found = importlib.util.find_spec(module)
        assert found, name
        tree = ast.parse(found.loader.get_source(module))
        assert attribute in {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}, name
