import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from lungpipe.reporting.other_studies import OtherStudy
from lungpipe.reporting.page import PageInputs, data_uri, render_page, write_page
from lungpipe.settings.difference import portable_settings


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text a person sees, and refuses tags that do not close."""

    VOID = ("meta", "img", "br")

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
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(parts, **changes):
    html = render_page(PageInputs(**{**parts, **changes}))
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
    assert f"CPM {page_parts['summary']['cpm']:.3f}" in page.text


def test_malignancy_stands_beside_the_diameter_and_the_label_rule(page_parts):
    summary = page_parts["summary"]
    _, page = read(page_parts)
    assert f"diameter only: {summary['malignancy']['diameter_only']['auc']:.3f}" in page.text
    assert f"noisy-OR: {summary['patients']['noisy_or']['auc']:.3f}" in page.text
    assert page.text.count("label: mean rating above 3") == 2
    assert "3 stored, 1 malignant, 0 without a label" in page.text


def test_every_official_rate_has_its_row_with_an_interval(page_parts):
    _, page = read(page_parts)
    for rate, value in page_parts["summary"]["sensitivity"].items():
        low, high = page_parts["summary"]["sensitivity_ci95"][rate]
        assert f"{rate} {value:.3f} {low:.3f} to {high:.3f}" in page.text


def test_warnings_come_before_the_headline_and_name_nobody(page_parts):
    html, page = read(page_parts)
    assert any("1.3.6.1.4.1" in text for text in page_parts["summary"]["warnings"])
    assert page.text.index("scans_without_predictions: 1 of 3") < page.text.index("divides by 3 scans")
    for identifier in (*page_parts["patients"]["patient_id"], "1.3.6.1.4.1"):
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
    patients = page_parts["patients"].assign(is_malignant=float("nan"))
    _, page = read(page_parts, summary=without_figures(page_parts["summary"]), patients=patients)
    assert page.text.count("was not drawn") == 3
    assert "CPM not defined" in page.text
    assert "3 without a label; not defined" in page.text
    assert not re.search(r"\b(None|nan|Undefined)\b", page.text)
    assert "Warnings: read these" not in page.text


def test_nothing_is_fetched_and_nothing_runs(page_parts, figure_folder):
    figures = {name: figure_folder / f"{name}.png" for name in page_parts["figures"]}
    html, page = read(page_parts, figures=figures)
    assert "://" not in html
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "base", "form", "a"} == set()
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert sources == [data_uri(figures[name]) for name in ("froc", "candidates", "training")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"url\(|@import", html.split("</style>")[0])
    assert any("default-src 'none'" in attributes.get("content", "") for _, attributes in page.tags)


def test_every_picture_has_words_for_those_who_do_not_see_it(page_parts, figure_folder):
    _, page = read(page_parts, figures={name: figure_folder / f"{name}.png" for name in page_parts["figures"]})
    assert all(len(attributes["alt"]) > 20 for tag, attributes in page.tags if tag == "img")


def test_text_from_outside_is_escaped(page_parts):
    hostile = {**page_parts["summary"], "warnings": ["odd: <script>alert(1)</script>"]}
    html, page = read(page_parts, summary=hostile)
    assert "&lt;script&gt;" in html
    assert "script" not in {tag for tag, _ in page.tags}


def test_settings_are_shown_without_places_of_the_machine(page_parts):
    study = page_parts["study"]
    private = {
        **study,
        "results_dir": "/mnt/somebody/results",
        "dataset": {**study["dataset"], "root": "/mnt/somebody/luna16", "lidc_xml": "/mnt/somebody/xml"},
        "tracking": {"is_enabled": True, "uri": "https://name:password@tracking.example"},
    }
    html, page = read(page_parts, study=private)
    assert "somebody" not in html
    assert "password" not in html
    assert "num_bootstraps: 1000" in page.text
    kept = portable_settings(private)
    assert set(study) - set(kept) == {"results_dir", "tracking"}
    assert set(study["dataset"]) - set(kept["dataset"]) == {"root", "lidc_xml"}


def test_another_study_of_the_dataset_is_shown_with_what_this_one_does_differently(page_parts):
    assert "Other studies of this dataset" not in render_page(PageInputs(**page_parts))
    settings = portable_settings(page_parts["study"]) | {"name": "seed7", "seed": 7}
    others = {"seed7": OtherStudy(settings, page_parts["summary"] | {"cpm": 0.4321})}
    page = render_page(PageInputs(**page_parts, others=others))
    assert "Other studies of this dataset" in page
    assert "0.432" in page
    assert f"seed {page_parts['study']['seed']} (there 7)" in page


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
