import pandas as pd

from lungpipe.reporting.patient_table import HEADINGS, patients_table


def rows_of(stored, tables, **changes):
    table = patients_table(stored.patients.assign(**changes), stored.matches, tables.series)
    return table, [dict(zip(HEADINGS, row, strict=True)) for row in table.rows]


def test_every_patient_has_what_was_found_and_no_identifier(stored, tables):
    table, (first, second, third) = rows_of(stored, tables)
    assert table.caption == "Patients of the evaluated folds (n = 3)"
    assert [row["Patient"] for row in (first, second, third)] == ["1", "2", "3"]
    assert (first["Nodules"], first["Found"], first["Missed"], first["False positives"]) == ("1", "1", "0", "1")
    assert (third["Fold"], third["Nodules"], third["Found"], third["Missed"]) == ("1", "1", "0", "1")
    # 0.95 x 0.9
    assert (first["Malignancy"], first["Label"], first["Deciding diameter, mm"]) == ("0.855", "malignant", "9.0")
    assert (second["Label"], second["Size class"]) == ("benign", "< 6 mm")
    text = " ".join(cell for row in table.rows for cell in row)
    assert not any(name in text for name in (*tables.series["patient_id"], *tables.series["series_uid"]))


def test_missing_values_are_named(stored, tables):
    _, rows = rows_of(
        stored, tables, malignancy=float("nan"), is_malignant=float("nan"), remark=["a remark", None, None]
    )
    assert {(row["Malignancy"], row["Label"]) for row in rows} == {("not defined", "unknown")}
    assert [row["Remark"] for row in rows] == ["a remark", "", ""]


def test_false_positives_of_low_probability_are_not_counted(stored, tables):
    quiet = stored.matches.assign(
        probability=stored.matches["probability"].where(stored.matches["probability"] > 0.65, 0.1)
    )
    table = patients_table(stored.patients, quiet, tables.series)
    column = HEADINGS.index("False positives")
    assert [row[column] for row in table.rows] == ["0", "1", "0"]
    assert isinstance(stored.patients, pd.DataFrame)
