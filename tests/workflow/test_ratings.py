"""A dataset without ratings takes them from the readings that its study names."""

import pandas as pd
import pytest

DELTA = """
dataset: {kind: luna16, root: luna, name: luna, num_subsets: 3, lidc_xml: readings}
tracking: {is_enabled: false}
"""
TARGETS = "results/luna/targets/nodules.parquet"
RATED = {"subtlety": 5, "internalStructure": 1, "calcification": 6, "sphericity": 4, "margin": 5, "lobulation": 1}
RING = [(9, 9), (9, 10), (9, 11), (9, 12), (10, 12), (11, 12), (12, 12), (12, 11), (12, 10), (12, 9), (11, 9), (10, 9)]


def session(malignancy):
    ratings = RATED | {"spiculation": 1, "texture": 5, "malignancy": malignancy}
    rated = "".join(f"<{name}>{value}</{name}>" for name, value in ratings.items())
    edge = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for y, x in RING)
    roi = f"<roi><imageZposition>4</imageZposition><inclusion>TRUE</inclusion>{edge}</roi>"
    nodule = f"<noduleID>1</noduleID><characteristics>{rated}</characteristics>{roi}"
    return f"<readingSession><unblindedReadNodule>{nodule}</unblindedReadNodule></readingSession>"


@pytest.fixture
def dataset(fresh):
    """Three scans, of which the first has a nodule at z 4 mm that three readers outlined; no ratings beside them."""
    header = "NDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementSpacing = 1 1 1\nElementDataFile = s.raw\n"
    for subset in range(3):
        folder = fresh.folder / f"luna/subset{subset}"
        folder.mkdir(parents=True)
        (folder / f"1.{subset}.mhd").write_text(header)
        (folder / "s.raw").write_bytes(bytes(48))
    columns = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
    (fresh.folder / "luna/annotations.csv").write_text(columns + "1.0,7.5,8.5,4.2,6\n")
    (fresh.folder / "luna/annotations_excluded.csv").write_text(columns)
    (fresh.folder / "readings").mkdir()
    head = "<ResponseHeader><SeriesInstanceUid>1.0</SeriesInstanceUid></ResponseHeader>"
    body = "".join(map(session, (5, 2, 4)))
    (fresh.folder / "readings/001.xml").write_text(f"<LidcReadMessage>{head}{body}</LidcReadMessage>")
    return fresh, fresh.delta(DELTA)


def ratings_of(checkout):
    return pd.read_parquet(checkout.folder / TARGETS)["malignancy_ratings"].tolist()


def textures_of(checkout):
    return pd.read_parquet(checkout.folder / "results/luna/targets/ratings.parquet")["texture_ratings"].tolist()


def test_readings_rate_a_dataset_and_its_own_ratings_come_first(dataset):
    checkout, delta = dataset
    assert checkout.snakemake(TARGETS, delta=delta).names == {"collect_ratings", "collect_targets"}
    assert ratings_of(checkout) == ["5;2;4"]
    assert checkout.plan(TARGETS, delta=delta).names == set()
    table = (checkout.folder / "luna/annotations.csv").read_text().splitlines()
    own = f"{table[0]},malignancy_ratings\n{table[1]},3;3;3\n"
    (checkout.folder / "luna/nodule_ratings.csv").write_text(own)
    assert checkout.snakemake(TARGETS, delta=delta).names == {"collect_targets"}
    assert ratings_of(checkout) == ["3;3;3"]
    # the own table has no texture
    assert textures_of(checkout) == ["5;5;5"]
