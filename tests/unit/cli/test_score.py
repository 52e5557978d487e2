"""Scores from the command line: positions of one scan in any form, of a whole dataset, and what is refused."""

import shutil

import numpy as np
import pandas as pd
import pytest
from random_detector import SPACING_MM, write_random_detector, write_random_scorer
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.datasets.luna16 import list_scans
from lungpipe.evaluation.submission import read_submission
from lungpipe.tables import CHARACTERISTICS

WORLD = ["seriesuid", "coordX", "coordY", "coordZ"]
RATINGS = [f"rating_{name}" for name in CHARACTERISTICS]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_random_scorer(tmp_path_factory.mktemp("model") / "scorer.safetensors", is_rating=True)


@pytest.fixture(scope="module")
def positions(dataset):
    """All positions of the phantom's own table of candidates, without its class."""
    return pd.read_csv(dataset / "candidates_V2.csv")[WORLD].iloc[::-1].reset_index(drop=True)


@pytest.fixture
def candidates(positions, tmp_path):
    positions.to_csv(tmp_path / "candidates.csv", index=False)
    return tmp_path / "candidates.csv"


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def score(source, candidates, out, model, *arguments, code=0):
    command = ["score", source, "--candidates", candidates, "--out", out, "--model", model]
    return run(*command, "--device", "cpu", "--threads", 1, *arguments, code=code)


def test_every_position_of_a_dataset_is_scored_in_the_order_of_the_file(
    dataset, candidates, positions, model, tmp_path
):
    told = score(dataset, candidates, tmp_path / "out.csv", model)
    scored = pd.read_csv(tmp_path / "out.csv")
    assert list(scored.columns) == [*WORLD, "probability", "malignancy", *RATINGS]
    pd.testing.assert_frame_equal(scored[WORLD], positions)
    assert scored[["probability", "malignancy"]].stack().between(0, 1).all()
    for name, highest in CHARACTERISTICS.items():
        assert scored[f"rating_{name}"].between(1, highest).all()
    assert scored["probability"].nunique() > 10
    assert told.stdout.endswith(f"out.csv: {len(positions)} of {len(positions)} positions scored\n")
    # what was written is a submission
    assert len(read_submission(tmp_path / "out.csv")) == len(positions)


def test_a_scan_scores_its_own_rows_whatever_its_form(dataset, scan, candidates, positions, model, tmp_path):
    store = tmp_path / f"{scan.series_uid}.ome.zarr"
    run("prepare", scan.header_path, store, "--spacing", *SPACING_MM)
    told = score(scan.header_path, candidates, tmp_path / "raw.csv", model)
    score(store, candidates, tmp_path / "store.csv", model)
    score(dataset, candidates, tmp_path / "dataset.csv", model)
    raw, stored, both = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("raw", "store", "dataset"))
    pd.testing.assert_frame_equal(raw, stored)
    own = both[both["seriesuid"] == scan.series_uid].reset_index(drop=True)
    pd.testing.assert_frame_equal(raw, own)
    num_others = int((positions["seriesuid"] != scan.series_uid).sum())
    assert f"{num_others} of {len(positions)} rows are of other series, and are left out" in told.stderr


def test_diameter_and_a_detectors_probability_are_used_and_kept(scan, positions, model, tmp_path):
    own = positions[positions["seriesuid"] == scan.series_uid].head(3)
    tables = {
        "plain": own,
        "sized": own.assign(diameter_mm=[4.0, 9.0, 20.0]),
        "detected": own.assign(probability=[0.01, 0.5, 0.99]),
    }
    found = {}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}_in.csv", index=False)
        score(scan.header_path, tmp_path / f"{name}_in.csv", tmp_path / f"{name}.csv", model)
        found[name] = pd.read_csv(tmp_path / f"{name}.csv")
    assert list(found["sized"].columns)[:5] == [*WORLD, "diameter_mm"]
    assert (found["sized"]["rating_malignancy"] != found["plain"]["rating_malignancy"]).all()
    np.testing.assert_array_equal(found["sized"]["probability"], found["plain"]["probability"])
    odds = found["plain"]["probability"] / (1 - found["plain"]["probability"])
    joint = np.sqrt(odds * np.array([0.01 / 0.99, 1.0, 99.0]))
    np.testing.assert_allclose(found["detected"]["probability"], joint / (1 + joint), rtol=1e-6)


def test_a_model_with_a_detector_finds_the_diameters_that_are_missing(scan, positions, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write_random_scorer(folder / "scorer.safetensors", is_rating=True)
    own = positions[positions["seriesuid"] == scan.series_uid].head(3)
    tables = {"plain": own, "sized": own.assign(diameter_mm=[4.0, -1.0, 20.0])}
    found = {}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}_in.csv", index=False)
        score(scan.header_path, tmp_path / f"{name}_in.csv", tmp_path / f"{name}_alone.csv", folder)
    write_random_detector(folder / "detector.safetensors")
    for name in tables:
        score(scan.header_path, tmp_path / f"{name}_in.csv", tmp_path / f"{name}.csv", folder)
        found[name] = (pd.read_csv(tmp_path / f"{name}{kind}.csv")["rating_malignancy"] for kind in ("_alone", ""))
    alone, helped = found["plain"]
    # the detector finds something near the second position alone
    assert (alone != helped).tolist() == [False, True, False]
    alone, helped = found["sized"]
    assert (alone != helped).tolist() == [False, True, False]


def test_a_scorer_without_ratings_writes_none(scan, candidates, tmp_path):
    model = write_random_scorer(tmp_path / "plain.safetensors")
    score(scan.header_path, candidates, tmp_path / "out.csv", model)
    assert list(pd.read_csv(tmp_path / "out.csv").columns) == [*WORLD, "probability", "malignancy"]


def test_a_position_at_the_border_is_padded_and_one_outside_refused_by_its_row(scan, model, tmp_path):
    from lungpipe.datasets.read import read_scan

    grid = read_scan(scan.header_path).grid
    corner, outside = grid.to_world([0, 0, 0]), grid.to_world([-9, 0, 0])
    rows = [(scan.series_uid, *point[::-1]) for point in (corner, outside, corner)]
    pd.DataFrame(rows, columns=WORLD).to_csv(tmp_path / "in.csv", index=False)
    told = score(scan.header_path, tmp_path / "in.csv", tmp_path / "out.csv", model, code=1)
    scored = pd.read_csv(tmp_path / "out.csv")
    assert len(scored) == 2
    assert scored["probability"].notna().all()
    place = ", ".join(f"{value:.1f}" for value in outside[::-1])
    expected = f"in.csv, row 2: series {scan.series_uid}: expected a position inside the scan, found ({place}) mm"
    assert expected in " ".join(told.stderr.split())


def test_a_scan_that_fails_is_named_and_the_others_are_scored(dataset, scan, candidates, model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    broken = list_scans(copy, 0)[0]
    broken.data_path.write_bytes(b"short")
    told = score(copy, candidates, tmp_path / "out.csv", model, code=1)
    assert f"lungpipe: {broken.series_uid}: {broken.data_path}: expected" in told.stderr
    assert set(pd.read_csv(tmp_path / "out.csv")["seriesuid"]) == {scan.series_uid}


def test_scans_that_the_model_learned_from_are_remarked(scan, candidates, tmp_path):
    model = write_random_scorer(tmp_path / "seen.safetensors", saw=(scan.series_uid,))
    told = score(scan.header_path, candidates, tmp_path / "out.csv", model, "--quiet")
    assert "lungpipe: the model was trained or validated on 1 of 1 scans" in told.stderr
    assert told.stdout == ""


def test_an_output_that_exists_is_replaced_only_by_force(scan, candidates, model, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert "--force replaces it" in " ".join(score(scan.header_path, candidates, out, model, code=2).output.split())
    score(scan.header_path, candidates, out, model, "--force")
    assert out.read_text().startswith("seriesuid,")


def test_without_a_model_the_message_says_how_to_train_one(scan, candidates, tmp_path, monkeypatch):
    monkeypatch.setattr("lungpipe.shipped.SHIPPED_MODEL", "none")
    told = run("score", scan.header_path, "--candidates", candidates, "--out", tmp_path / "out.csv", code=2)
    assert "snakemake --cores 8" in " ".join(told.output.replace("│", " ").split())


HEADER = ",".join(WORLD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}\n1.2.3,1,2,3\n", "candidates: expected rows of the series {uid}, found none in 1 rows"),
        (f"{HEADER}\n{{uid}},1,,3\n", "row 1 (line 2), column coordY: expected a finite number"),
        (f"{HEADER},probability\n{{uid}},1,2,3,1.5\n", "row 1, column probability: expected 0 to 1, found 1.5"),
        ("seriesuid,coordX,coordY\n{uid},1,2\n", "coordZ"),
    ],
    ids=["other series", "empty cell", "probability", "missing column"],
)
def test_bad_candidates_are_one_message_and_no_output(scan, model, tmp_path, text, message):
    (tmp_path / "in.csv").write_text(text.format(uid=scan.series_uid))
    told = score(scan.header_path, tmp_path / "in.csv", tmp_path / "out.csv", model, code=2)
    assert message.format(uid=scan.series_uid) in told.stderr
    assert "Traceback" not in told.output
    assert not (tmp_path / "out.csv").exists()


def test_a_detector_is_refused(scan, candidates, tmp_path):
    model = write_random_detector(tmp_path / "detector.safetensors")
    told = score(scan.header_path, candidates, tmp_path / "out.csv", model, code=2)
    assert "expected a scorer, found a detector" in told.stderr
