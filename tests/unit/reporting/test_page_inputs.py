"""The content of the page as it is read from the files of a study."""

import pytest

from lungpipe.evaluation.evaluate_study import write_study
from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.tables import SERIES, write_table


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
