"""`lungpipe ratings` on the real readings: every annotated nodule, and the masks of a whole scan."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from typer.testing import CliRunner

from lungpipe.cli.main import app

SERIES = "1.3.6.1.4.1.14519.5.2.1.6279.6001.328789598898469177563438457842"
POSITION = ["coordX", "coordY", "coordZ"]
# the expected table counts a reader twice where he split what others outlined whole (docs/ratings.md)
COUNTED_TWICE = 10


@pytest.fixture(scope="module")
def shared():
    root = os.environ.get("LUNGPIPE_SHARED")
    if not root or not Path(root, "luna16", "lidc_xml.zip").is_file():
        pytest.skip("LUNGPIPE_SHARED does not name the folder with the real readings")
    return Path(root)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["ratings", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def all_ratings(shared, tmp_path_factory):
    out = tmp_path_factory.mktemp("ratings") / "nodule_ratings.csv"
    said = run(shared / "luna16/lidc_xml.zip", "--annotations", shared / "luna16/annotations.csv", "--out", out)
    return pd.read_csv(out), said


@pytest.mark.slow
@pytest.mark.real_data
def test_every_nodule_of_luna16_is_rated_by_three_or_four_readers(all_ratings):
    table, said = all_ratings
    assert "1186 of 1186 annotated nodules rated" in said
    assert "placed by exclusions: 1171" in said
    columns = [name for name in table if name.endswith("_ratings")]
    counts = table[columns].map(lambda text: len(text.split(";")))
    assert len(columns) == 9
    assert (counts.nunique(axis=1) == 1).all()
    assert set(counts["malignancy_ratings"]) == {3, 4}


@pytest.mark.slow
@pytest.mark.real_data
def test_malignancy_agrees_with_the_expected_ratings_and_their_order(all_ratings, shared):
    table, _ = all_ratings
    expected = pd.read_csv(shared / "luna16-crops/nodule_ratings.csv")
    expected["seriesuid"] = expected["seriesuid"].str.rpartition(".")[0]
    for both in (table, expected):
        both[POSITION] = both[POSITION].round(4)
    expected = expected.drop_duplicates(["seriesuid", *POSITION]).drop(columns="diameter_mm")
    both = expected.merge(table, on=["seriesuid", *POSITION], suffixes=("_expected", ""))
    assert len(both) == len(expected) == 1022
    differing = both[both["malignancy_ratings"] != both["malignancy_ratings_expected"]]
    assert len(differing) == COUNTED_TWICE
    for row in differing.itertuples():
        surplus = row.malignancy_ratings_expected.split(";")
        for rating in row.malignancy_ratings.split(";"):
            surplus.remove(rating)
        assert surplus


@pytest.fixture(scope="module")
def one_scan(shared, tmp_path_factory):
    """The readings of one scan beside its slices, and the union of what its readers outlined."""
    folder = tmp_path_factory.mktemp("one")
    table = pd.read_csv(shared / "luna16/annotations.csv")
    table[table["seriesuid"] == SERIES].to_csv(folder / "annotations.csv", index=False)
    scan = shared / "dicom/LIDC-IDRI-0012"
    arguments = ("--annotations", folder / "annotations.csv", "--scans", scan, "--out", folder / "ratings.csv")
    run(scan, *arguments, "--masks", folder / "union", "--agreement", 0.01)
    run(scan, *arguments, "--masks", folder / "half")
    return folder


def on_crop(labels, mask_image):
    moved = SimpleITK.Resample(labels, mask_image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)
    return SimpleITK.GetArrayFromImage(moved)


@pytest.mark.real_data
def test_the_union_of_outlines_is_the_published_mask_to_the_voxel(one_scan, shared):
    crops = pd.read_csv(shared / "luna16-crops/series.csv")
    names = crops.loc[crops["source_seriesuid"] == SERIES, "seriesuid"].tolist()
    union, half = (SimpleITK.ReadImage(str(one_scan / name / f"{SERIES}.mhd")) for name in ("union", "half"))
    dice = []
    for name in names:
        published = SimpleITK.ReadImage(str(shared / f"luna16-crops/nodule_masks/{name}.mhd"))
        mask = SimpleITK.GetArrayFromImage(published) > 0
        moved = on_crop(union, published)
        label = np.bincount(moved[mask]).argmax()
        np.testing.assert_array_equal(moved == label, mask)
        agreed = on_crop(half, published) == label
        assert (mask | ~agreed).all()
        dice.append(2 * (agreed & mask).sum() / (agreed.sum() + mask.sum()))
    assert len(names) == 9
    assert np.median(dice) > 0.8


@pytest.mark.real_data
def test_a_scan_places_its_nodules_as_the_excluded_findings_do(one_scan, shared):
    out, excluded = one_scan / "by_exclusions.csv", shared / "luna16/annotations_excluded.csv"
    annotations = one_scan / "annotations.csv"
    readings = shared / "dicom/LIDC-IDRI-0012"
    said = run(readings, "--annotations", annotations, "--excluded", excluded, "--out", out)
    assert "9 of 9 annotated nodules rated" in said
    by_scan, others = pd.read_csv(one_scan / "ratings.csv"), pd.read_csv(out)
    assert set(by_scan.pop("position_source")) == {"scan"}
    assert set(others.pop("position_source")) == {"exclusions"}
    assert len(by_scan) == 9
    columns = [name for name in by_scan if name.endswith("_ratings")]
    assert len(columns) == 9
    counts = by_scan[columns].map(lambda text: len(text.split(";")))
    assert (counts.nunique(axis=1) == 1).all()
    assert set(counts["malignancy_ratings"]) <= {3, 4}
    pd.testing.assert_frame_equal(by_scan[columns], others[columns])


def test_masks_need_scans_and_missing_files_are_refused(tmp_path):
    absent = tmp_path / "absent.csv"
    assert "--scans" in run(tmp_path, "--annotations", absent, "--out", absent, "--masks", tmp_path, code=2)
    assert "found no file" in run(tmp_path, "--annotations", absent, "--out", absent, code=2)


def test_a_malformed_reading_ends_the_command_by_name(tmp_path):
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,0,0,0,5\n")
    (tmp_path / "001.xml").write_text("<LidcReadMessage><readingSession/></LidcReadMessage>")
    out = tmp_path / "ratings.csv"
    said = run(tmp_path / "001.xml", "--annotations", tmp_path / "annotations.csv", "--out", out, code=2)
    assert "001.xml: LidcReadMessage: expected one element ResponseHeader, found none" in said.replace("\n", "")
    assert not out.exists()


NODULE = """<unblindedReadNodule><noduleID>{name}</noduleID><characteristics>
<subtlety>4</subtlety><internalStructure>1</internalStructure><calcification>6</calcification><sphericity>3</sphericity>
<margin>5</margin><lobulation>2</lobulation><spiculation>1</spiculation><texture>5</texture><malignancy>3</malignancy>
</characteristics><roi><imageZposition>{z}</imageZposition><inclusion>TRUE</inclusion>
{edge}</roi></unblindedReadNodule>"""
EDGE = "".join(
    f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for y, x in ((2, 2), (2, 5), (5, 5), (5, 2))
)


@pytest.mark.parametrize("z", [12.5, 60.0])
def test_an_outline_off_every_slice_is_refused_when_masks_are_asked_for(tmp_path, z):
    """The outline belongs to no annotation: without masks nobody needs its slice."""
    nodules = NODULE.format(name="1", z=10, edge=EDGE) + NODULE.format(name="2", z=z, edge=EDGE)
    head = "<ResponseHeader><SeriesInstanceUid>1.2</SeriesInstanceUid></ResponseHeader>"
    (tmp_path / "1.xml").write_text(
        f"<LidcReadMessage>{head}<readingSession>{nodules}</readingSession></LidcReadMessage>"
    )
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,17.5,17.5,10,8\n")
    image = SimpleITK.GetImageFromArray(np.zeros((6, 8, 10), np.int16))
    image.SetSpacing((5.0, 5.0, 5.0))
    SimpleITK.WriteImage(image, str(tmp_path / "1.2.mhd"))
    given = ["--annotations", tmp_path / "annotations.csv", "--scans", tmp_path, "--out", tmp_path / "ratings.csv"]
    assert "1 of 1 annotated nodules rated" in run(tmp_path / "1.xml", *given)
    said = run(tmp_path / "1.xml", *given, "--masks", tmp_path / "masks", code=2)
    assert "1.xml, series 1.2, nodule 2: expected outlines" in said.replace("\n", "")
    assert f"nodule 2: expected outlines on slices of the scan, found one at z {z:g} mm" in said.replace("\n", "")
    assert not (tmp_path / "masks").exists()
