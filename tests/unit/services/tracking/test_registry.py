"""A record's model becomes one version in the registry, however often the record is sent."""

import json

import pytest

CODE = """
import mlflow.models
import mlflow.pyfunc


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


mlflow.models.set_model(Echo())
"""


@pytest.fixture
def files(tmp_path):
    paths = {"bundle": tmp_path / "a.lungpipe", "code": tmp_path / "code.py", "example": tmp_path / "example.json"}
    paths["bundle"].write_bytes(b"a bundle")
    paths["code"].write_text(CODE)
    example = {"columns": {"file_name": ["a"], "content": ["b"]}, "params": {"threshold": 0.5, "is_whole": True}}
    paths["example"].write_text(json.dumps(example))
    return paths


def versions(study, name="small"):
    return study.client.search_model_versions(f"name = '{name}'")


def test_a_model_is_registered_with_its_run_and_registered_again_only_if_it_changed(study, files):
    for content in (b"a bundle", b"a bundle", b"another bundle"):
        files["bundle"].write_bytes(content)
        with study.record("bundle_model") as record:
            record.register_model("small", files)
        assert study.send() == []
        run = study.nested()["bundle_model"]
        assert run.info.status == "FINISHED"
        newest = max(versions(study), key=lambda version: int(version.version))
    assert sorted(int(version.version) for version in versions(study)) == [1, 2]
    assert newest.run_id == run.info.run_id


def test_a_model_whose_bundle_is_gone_keeps_its_record(study, files):
    with study.record("bundle_model") as record:
        record.register_model("small", files)
    files["bundle"].unlink()
    [complaint] = study.send()
    assert "a.lungpipe: expected a file of the model to register, found none" in complaint
    assert versions(study) == []
    files["bundle"].write_bytes(b"a bundle")
    assert study.send() == []
    assert len(versions(study)) == 1


@pytest.mark.parametrize("content", ["{", "[1]", '{"columns": {}}'])
def test_an_edited_example_is_told_and_the_other_records_are_sent(study, files, content):
    with study.record("bundle_model", time=1000) as record:
        record.register_model("small", files)
    files["example"].write_text(content)
    study.record().end("FINISHED")
    [complaint] = study.send()
    assert f"TrackingError: {files['example'].resolve()}: expected " in complaint
    assert versions(study) == []
    assert study.nested()["train_detector"].info.status == "FINISHED"


def test_a_missing_file_is_refused_at_once(study, files):
    files["code"].unlink()
    with study.record("bundle_model") as record, pytest.raises(Exception, match=r"code\.py: expected a file to log"):
        record.register_model("small", files)
