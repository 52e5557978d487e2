import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from lungpipe.reporting.other_studies import OtherStudy
from lungpipe.reporting.page import render_page, write_page
from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.settings.difference import portable_settings

MLFLOW = "http://127.0.0.1:5000/#/experiments"


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text a person sees, and refuses tags that do not close."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self):
        super().__init__()
        self.tags, self.words, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(parts, summary=None, patients=None, **changes):
    stored = parts["stored"]
    stored = stored if summary is None else replace(stored, summary=summary)
    stored = stored if patients is None else replace(stored, patients=patients)
    html = render_page(PageInputs(**{**parts, "stored": stored, **changes}))
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return html, reader


def without_figures(summary):
    """The report of a study that has nothing to rank: no nodule hit, one class of patients."""
    undefined = {"auc": None, "auc_ci95": None, "num_nodules": 0, "num_false_positives": 0}
    nothing = dict.fromkeys(summary["sensitivity"])
    return {
        **summary,
        "cpm": None,
        "cpm_ci95": [None, None],
        "sensitivity": nothing,
        "sensitivity_ci95": {rate: [None, None] for rate in nothing},
        "nodule_auc": undefined,
        "malignancy": None,
        "patients": None,
        "localisation": None,
        "diameter_error": None,
        "strata": {"diameter": []},
        "warnings": [],
    }


def test_the_headline_says_what_the_cpm_divides_by_and_how_many_folds_ran(page_parts):
    _, page = read(page_parts)
    assert "flagship on phantom" in page.text
    assert "2 of 10 folds evaluated (0, 1)" in page.text
    assert "divides by 3 scans" in page.text
    assert f"CPM {page_parts['stored'].summary['cpm']:.3f}" in page.text


def test_malignancy_stands_beside_the_diameter_and_the_label_rule(page_parts):
    summary = page_parts["stored"].summary
    _, page = read(page_parts)
    assert f"diameter only: {summary['malignancy']['diameter_only']['auc']:.3f}" in page.text
    assert f"noisy-OR: {summary['patients']['noisy_or']['auc']:.3f}" in page.text
    assert page.text.count("label: mean rating above 3") == 2
    assert "3 stored, 1 malignant, 0 without a label" in page.text


def test_every_official_rate_has_its_row_with_an_interval(page_parts):
    _, page = read(page_parts)
    for rate, value in page_parts["stored"].summary["sensitivity"].items():
        low, high = page_parts["stored"].summary["sensitivity_ci95"][rate]
        assert f"{rate} {value:.3f} {low:.3f} to {high:.3f}" in page.text


def test_warnings_come_before_the_headline_and_name_nobody(page_parts):
    html, page = read(page_parts)
    assert any("1.3.6.1.4.1" in text for text in page_parts["stored"].summary["warnings"])
    assert page.text.index("scans_without_predictions: 1 of 3") < page.text.index("divides by 3 scans")
    for identifier in (*page_parts["stored"].patients["patient_id"], "1.3.6.1.4.1"):
        assert identifier not in html


def test_scans_that_were_not_prepared_are_said_aloud(page_parts):
    complete = page_parts["accounting"].assign(prepared=page_parts["accounting"]["expected"])
    assert "Only 2 of 3 scans prepared" in read(page_parts)[1].text
    text = read(page_parts, accounting=complete)[1].text
    assert "Only" not in text
    assert "3 of 3 scans prepared" in text


def test_the_lung_mask_is_summed_up_in_two_lines(page_parts):
    text = read(page_parts)[1].text
    assert "1 of 4 annotated nodules (25.0 %) are outside the dilated lung mask." in text
    assert "Compared with reference masks (1 of 2 compared): Dice median 0.988, smallest 0.988." in text


def test_without_references_and_nodules_the_lines_hold_no_gaps(page_parts):
    alone = {"nodules": 0, "outside_lungs": 0, "references": 0, "references_not_compared": 0}
    missing = dict.fromkeys(("outside_lungs_percent", "lungs_dice_median", "lungs_dice_min"), float("nan"))
    _, page = read(page_parts, accounting=page_parts["accounting"].assign(**alone, **missing))
    assert "0 of 0 annotated nodules are outside" in page.text
    assert "Compared with reference masks" not in page.text
    assert not re.search(r"\bnan\b", page.text)


def test_crops_are_told_from_whole_chests(page_parts):
    note = "False positives are counted per crop and not per chest"
    study = page_parts["study"]
    crops = {**study, "preprocessing": {**study["preprocessing"], "lung_mask": "whole"}}
    assert note not in read(page_parts)[1].text
    text = read(page_parts, study=crops)[1].text
    assert note in text
    # a crop has no lung mask to be outside of
    assert "outside the dilated lung mask" not in text


def test_a_study_without_figures_still_has_a_page(page_parts):
    patients = page_parts["stored"].patients.assign(is_malignant=float("nan"))
    _, page = read(page_parts, summary=without_figures(page_parts["stored"].summary), patients=patients)
    assert "Hits: none" in page.text
    assert "Not defined: the study does not have both hits and false positives." in page.text
    assert "CPM not defined" in page.text
    assert "3 without a label; not defined" in page.text
    assert not re.search(r"\b(None|nan|Undefined)\b", page.text)
    assert "Warnings: read these" not in page.text


@pytest.fixture
def drawn_parts(page_parts, figure_folder):
    """The page's parts with the charts and pictures of the study."""
    drawn = {name: json.loads((figure_folder / f"{name}.json").read_text()) for name in ("charts", "pictures")}
    return page_parts | drawn


def test_nothing_is_fetched_and_only_our_script_runs(drawn_parts):
    html, page = read(drawn_parts)
    assert "://" not in html
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "base", "form"} == set()
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    # three hits and false positives, a missed nodule without a volume, and two patients' slices
    assert len(sources) == 6
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"url\((?!#)|@import", html)
    [policy] = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert [f"'sha256-{digest}'" for digest in digests] == [policy.rpartition(" ")[2]]


def test_every_picture_has_words_for_those_who_do_not_see_it(drawn_parts):
    _, page = read(drawn_parts)
    assert all(len(attributes["alt"]) > 20 for tag, attributes in page.tags if tag == "img")
    charts = [attributes for tag, attributes in page.tags if attributes.get("id", "").startswith("chart-")]
    assert len(charts) == len(drawn_parts["charts"]) - 1
    assert all("n = " in attributes["aria-label"] or "n is" in attributes["aria-label"] for attributes in charts)


def test_every_link_and_reference_of_the_page_resolves(drawn_parts):
    _, page = read(drawn_parts)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a[key] for _, a in page.tags for key in ("href", "xlink:href") if a.get(key, "").startswith("#")]
    named += [f"#{a[key]}" for _, a in page.tags for key in ("aria-controls", "data-table") if key in a]
    named += [link for _, a in page.tags for link in re.findall(r"url\((#[^)]+)\)", a.get("clip-path", ""))]
    assert len(named) > 20
    assert {name.removeprefix("#") for name in named} <= set(ids)


def test_the_page_names_no_series_and_no_patient(drawn_parts):
    html, _ = read(drawn_parts)
    for identifier in (*drawn_parts["stored"].patients["patient_id"], "1.3.6.1.4.1"):
        assert identifier not in html


def test_galleries_say_how_many_there_are_and_patients_link_to_their_slices(drawn_parts):
    _, page = read(drawn_parts)
    assert "Hits: 2 of 2" in page.text
    assert "Missed nodules: 1 of 1" in page.text
    assert "False positives: 2 of 2" in page.text
    assert "scan without a volume" in page.text
    assert "What decided each patient: 2 of 2 slices" in page.text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert [link for link in links if link.startswith("#slice-")] == ["#slice-1", "#slice-2"]


def test_findings_link_to_the_viewer_pages_that_exist(drawn_parts):
    def links(page):
        return [a["href"] for tag, a in page.tags if tag == "a" and a["href"].startswith("viewer/")]

    assert links(read(drawn_parts)[1]) == []
    # the second scan has a hit, a false positive and the slice of its patient
    [patient, hit, mistake] = links(read(drawn_parts, viewers=frozenset({2}))[1])
    # its voxel (10, 20, 40)
    assert hit == "viewer/scan-2.html#10.00,-30.00,-90.00"
    assert patient == mistake != hit


def test_the_origin_has_date_machine_command_and_link(page_parts):
    origin = replace(
        page_parts["origin"],
        machine={"cores": "2 cores", "memory": "8 GiB"},
        command="git checkout 0123abc\nsnakemake --cores 8\n",
        tracking={
            "study": f"{MLFLOW}/1/runs/a",
            "studies": f"{MLFLOW}/1/b",
            "trainings": f"{MLFLOW}/1/c",
            "serve": "make ui",
        },
    )
    _, page = read(page_parts, origin=origin)
    assert "Report written 2026-11-28 07:30 UTC on 2 cores, 8 GiB." in page.text
    assert "git checkout 0123abc snakemake --cores 8" in page.text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links[-3:] == [f"{MLFLOW}/1/runs/a", f"{MLFLOW}/1/c", f"{MLFLOW}/1/b"]
    assert "make ui starts its pages" in page.text
    assert "has no runs in MLflow" in read(page_parts)[1].text


def test_text_from_outside_is_escaped(page_parts):
    hostile = {**page_parts["stored"].summary, "warnings": ["odd: <script>alert(1)</script>"]}
    html, page = read(page_parts, summary=hostile)
    assert "&lt;script&gt;" in html
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_settings_are_shown_without_places_of_the_machine(page_parts):
    study = page_parts["study"]
    places = {"root", "lidc_xml", "lidc_annotations", "whole_scan_tables"}
    private = {
        **study,
        "results_dir": "/mnt/somebody/results",
        "dataset": {**study["dataset"], **{name: f"/mnt/somebody/{name}" for name in places}},
        "tracking": {"is_enabled": True, "uri": "https://name:password@tracking.example"},
    }
    html, page = read(page_parts, study=private)
    assert "somebody" not in html
    assert "password" not in html
    assert "num_bootstraps: 1000" in page.text
    kept = portable_settings(private)
    assert set(study) - set(kept) == {"results_dir", "tracking"}
    assert set(study["dataset"]) - set(kept["dataset"]) == places


def test_another_study_of_the_dataset_is_shown_with_what_this_one_does_differently(page_parts):
    assert "Other studies of this dataset" not in render_page(PageInputs(**page_parts))
    settings = portable_settings(page_parts["study"]) | {"name": "seed7", "seed": 7}
    others = {"seed7": OtherStudy(settings, page_parts["stored"].summary | {"cpm": 0.4321}, page_parts["stored"])}
    page = render_page(PageInputs(**page_parts, others=others))
    assert "Other studies of this dataset" in page
    assert "0.432" in page
    assert f"seed {page_parts['study']['seed']} (there 7)" in page
    assert "Paired differences on the same scans" in page
    assert "+0.000" in page


def test_the_command_that_evaluates_again_is_shown(page_parts):
    assert page_parts["command"] in render_page(PageInputs(**page_parts))


def test_the_same_study_gives_the_same_bytes(page_parts, tmp_path):
    for name in ("a.html", "b.html"):
        write_page(PageInputs(**page_parts), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.html", "b.html"]


def test_a_table_without_totals_is_not_an_accounting(page_parts):
    with pytest.raises(IndexError):
        read(page_parts, accounting=pd.DataFrame({"subset": ["0"], "expected": [1], "prepared": [1]}))
