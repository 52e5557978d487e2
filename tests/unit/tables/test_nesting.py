"""JSON that is nested too deeply is named where the error of its reader is reported."""

import json

import pytest

from lungpipe.tables.errors import InputError
from lungpipe.tables.nesting import naming_deep_json

DEEP = "[" * 100_000


def test_the_deep_file_among_others_is_named(tmp_path):
    (tmp_path / "series.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "plan.json").write_text(DEEP)
    paths = [tmp_path / "missing.json", *(tmp_path / f"{name}.json" for name in ("series", "broken", "plan"))]
    message = r"plan\.json: expected JSON, found JSON that is nested too deeply$"
    with pytest.raises(InputError, match=message), naming_deep_json(paths):
        json.loads(paths[-1].read_text())


@pytest.mark.parametrize("given", ["manifest.json", "1.2.ome.zarr"])
def test_metadata_of_a_volume_are_found_by_its_folder_and_by_the_manifest(tmp_path, given):
    metadata = tmp_path / "1.2.ome.zarr" / "labels" / "zarr.json"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(DEEP)
    (tmp_path / "manifest.json").write_text("{}")
    message = r"1\.2\.ome\.zarr/labels/zarr\.json: expected JSON"
    with pytest.raises(InputError, match=message), naming_deep_json([tmp_path / given]):
        json.loads(metadata.read_text())


def test_an_endless_recursion_of_the_program_stays_one(tmp_path):
    def again():
        return again()

    (tmp_path / "series.json").write_text("{}")
    with pytest.raises(RecursionError), naming_deep_json([tmp_path / "series.json"]):
        again()


def test_other_errors_pass(tmp_path):
    (tmp_path / "plan.json").write_text(DEEP)
    with pytest.raises(KeyError), naming_deep_json([tmp_path / "plan.json"]):
        raise KeyError("seed")
