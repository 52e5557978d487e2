"""The content of the page as it is read from the files of a study."""

import shutil

import pytest

from lungpipe.evaluation.evaluate_study import write_study
from lungpipe.reporting.page_inputs import PageInputs, check_inputs
from lungpipe.tables import SERIES, DigestError, write_csv, write_digests, write_table


@pytest.mark.parametrize("has_pages", [False, True])
def test_inputs_are_read_as_the_script_names_them(page_parts, evaluation, tables, figure_folder, tmp_path, has_pages):
    write_study(evaluation, tables, tmp_path, rule="mean_gt_3")
    for name in ("accounting", "whole_scans"):
        page_parts[name].to_csv(tmp_path / f"{name}.csv", index=False)
    write_table(page_parts["series"], tmp_path / "series.parquet", SERIES)
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "pages.json").write_text('{"scans": [1, 3]}')
    (tmp_path / "viewer" / "scan-3.html").write_text("a page")
    paths = {"evaluation": tmp_path / "evaluation.json", "accounting": tmp_path / "accounting.csv"}
    paths |= {name: figure_folder / f"{name}.json" for name in ("charts", "pictures")}
    paths |= {"series": tmp_path / "series.parquet"}
    paths |= {"viewers": [tmp_path / "viewer" / "pages.json"] if has_pages else []}
    found = PageInputs.read(paths, page_parts["study"], page_parts["origin"], {})
    assert found.viewers == ({3} if has_pages else set())
    assert found.command.startswith("lungpipe evaluate")
    assert [kind["kind"] for kind in found.pictures["findings"]] == ["hits", "misses", "false_positives"]


@pytest.mark.parametrize("name", [None, "evaluation", "accounting", "charts", "pictures"])
def test_an_edited_input_is_refused_by_name(page_parts, evaluation, tables, figure_folder, tmp_path, name):
    write_study(evaluation, tables, tmp_path / "evaluation", rule="mean_gt_3")
    shutil.copytree(figure_folder, tmp_path / "figures")
    write_csv(page_parts["accounting"], tmp_path / "volumes" / "accounting.csv")
    write_digests([tmp_path / "volumes" / "accounting.csv"], tmp_path / "volumes")
    paths = {"evaluation": "evaluation/evaluation.json", "accounting": "volumes/accounting.csv"}
    paths |= {name: f"figures/{name}.json" for name in ("charts", "pictures")}
    paths = {name: tmp_path / path for name, path in paths.items()}
    if name is None:
        check_inputs(paths)
        return
    paths[name].write_text(paths[name].read_text() + " ")
    with pytest.raises(DigestError, match=rf"{paths[name].name}: expected the content that was written with it"):
        check_inputs(paths)
