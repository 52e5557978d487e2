"""Tables about persons are not logged."""

import pandas as pd
import pytest

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.identifiers import refuse_identifiers


@pytest.mark.parametrize("column", ["series_uid", "patient_id", "PatientName"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_about_persons_is_refused(tmp_path, column, ending):
    path = tmp_path / f"qc.{ending}"
    table = pd.DataFrame({"diameter_mm": [4.0], column: ["x"]})
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    with pytest.raises(TrackingError, match=rf"qc\.{ending}: .*found {column}"):
        refuse_identifiers(path)


def test_other_tables_and_files_are_not(tmp_path):
    (tmp_path / "froc.csv").write_text('"fold",sensitivity\nseries_uid,1\n')
    (tmp_path / "page.html").write_text("series_uid,patient_id")
    for name in ("froc.csv", "page.html"):
        refuse_identifiers(tmp_path / name)
