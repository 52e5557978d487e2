"""Readings from folders, archives and single files; what is doubled, what differs, what is no reading at all."""

import zipfile

import pytest

from lungpipe.lidc import files as lidc_files
from lungpipe.lidc.files import read_readings
from lungpipe.lidc.xml import ReadingError

NINE = (4, 1, 6, 3, 5, 2, 1, 5, 2)


@pytest.fixture
def content(writing):
    def build(series_uid, malignancy=2):
        nodule = writing.nodule("N", (*NINE[:8], malignancy), writing.roi(1, writing.square(20, 22)))
        return writing.message(series_uid, nodule, writing.point(5, 1, 2))

    return build


@pytest.fixture
def folder(tmp_path, content):
    (tmp_path / "xml" / "185").mkdir(parents=True)
    for name, uid in (("185/001.xml", "1.2"), ("002.xml", "1.3"), ("185/003.xml", "1.2")):
        (tmp_path / "xml" / name).write_bytes(content(uid))
    (tmp_path / "xml" / "004.xml").write_bytes(b"<IdriReadMessage/>")
    (tmp_path / "xml" / "notes.txt").write_text("not a reading")
    return tmp_path / "xml"


def test_a_folder_an_archive_and_a_file_give_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "xml.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    for source in (folder, tmp_path / "xml.zip"):
        readings = read_readings(source)
        assert sorted(readings) == ["1.2", "1.3"]
        assert len(readings["1.2"].nodules) == 1
    assert list(read_readings(folder / "002.xml")) == ["1.3"]


def test_only_wanted_series_are_parsed(folder):
    (folder / "005.xml").write_bytes(b"<LidcReadMessage><SeriesInstanceUid>1.4</SeriesInstanceUid> broken")
    assert list(read_readings(folder, {"1.3"})) == ["1.3"]
    with pytest.raises(ReadingError, match=r"005\.xml: expected XML"):
        read_readings(folder, {"1.4"})


@pytest.mark.parametrize("change", [("<imageZposition>5", "<imageZposition>6"), ("<xCoord>19", "<xCoord>18")])
def test_two_readings_of_a_series_must_be_the_same(folder, content, change):
    (folder / "006.xml").write_bytes(content("1.3").decode().replace(*change, 1).encode())
    with pytest.raises(ReadingError, match=r"006\.xml: series 1\.3: expected one reading, found another in .*002\.xml"):
        read_readings(folder)


def test_other_ratings_make_another_reading(folder, content):
    (folder / "006.xml").write_bytes(content("1.3", malignancy=5))
    with pytest.raises(ReadingError, match="found another"):
        read_readings(folder)


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(ReadingError, match=r"expected a folder, a zip archive or an \.xml"):
        read_readings(tmp_path / "absent.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadingError, match=r"expected readings \(\.xml\), found none"):
        read_readings(tmp_path / "empty")


def test_a_damaged_archive_is_refused_by_name(folder, tmp_path):
    path = tmp_path / "xml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "002.xml", "002.xml")
    damaged = bytearray(path.read_bytes())
    damaged[60:90] = bytes(30)
    path.write_bytes(damaged)
    with pytest.raises(ReadingError, match=r"xml\.zip: expected a readable zip archive"):
        read_readings(path)


def test_a_reading_that_unpacks_to_too_much_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(lidc_files, "MAX_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "xml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.xml", b" " * 1000)
    with pytest.raises(ReadingError, match=r"bomb\.xml: expected a reading of at most 100 bytes, found 1000"):
        read_readings(tmp_path / "xml.zip")
    with pytest.raises(ReadingError, match=r"002\.xml: expected a reading of at most 100 bytes"):
        read_readings(folder / "002.xml")


def test_companions_of_macos_and_endings_in_capitals(folder, content, tmp_path):
    (folder / "._002.xml").write_bytes(b"\0\5\x16\7 no reading")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "002.xml").write_bytes(b"\0\5\x16\7")
    (folder / "007.XML").write_bytes(content("1.5"))
    with zipfile.ZipFile(tmp_path / "xml.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    for source in (folder, tmp_path / "xml.zip"):
        assert sorted(read_readings(source)) == ["1.2", "1.3", "1.5"]


def test_an_archive_in_an_archive(folder, tmp_path):
    inner, outer = tmp_path / "tcia-lidc-xml.zip", tmp_path / "download.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.xml"):
            archive.write(path, path.relative_to(folder))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "LIDC/tcia-lidc-xml.ZIP")
        archive.writestr("__MACOSX/LIDC/._tcia-lidc-xml.ZIP", b"\0\5\x16\7")
    readings = read_readings(outer)
    assert sorted(readings) == ["1.2", "1.3"]
    assert readings["1.3"].source == f"{outer}/LIDC/tcia-lidc-xml.ZIP/002.xml"


def test_a_damaged_archive_in_an_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK\3\4 and no more")
    with pytest.raises(ReadingError, match=r"download\.zip/inner\.zip: expected a readable zip archive"):
        read_readings(tmp_path / "download.zip")


def test_a_large_archive_in_an_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lidc_files, "MAX_ARCHIVE_BYTES", 10)
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
        archive.writestr("inner.zip", bytes(11))
    with pytest.raises(ReadingError, match=r"inner\.zip: expected a reading of at most 10 bytes, found 11"):
        read_readings(tmp_path / "download.zip")
