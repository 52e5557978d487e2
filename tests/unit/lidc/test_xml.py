"""Reading XML, written by hand: what comes out, and what is refused by name."""

import pytest

from lungpipe.lidc.xml import CHARACTERISTICS, PointMark, ReadingError, parse_reading

NINE = (4, 1, 6, 3, 5, 2, 1, 5, 2)


@pytest.fixture
def reading(writing):
    square = writing.roi("-10.50", writing.square(20, 22))
    hole = writing.roi("-10.50", [(21, 21)], "FALSE")
    first = writing.nodule("N1", NINE, square, hole) + writing.nodule("N2", (), writing.roi(3, [(7, 9)]))
    second = writing.point(-8, 100, 200)
    return parse_reading(writing.message("1.2.3", first, second), "a.xml")


def test_a_nodule_has_its_nine_ratings_and_its_outlines(reading):
    (nodule,) = reading.nodules
    assert (reading.series_uid, reading.num_readers) == ("1.2.3", 2)
    assert (nodule.reader, nodule.name) == (0, "N1")
    assert nodule.ratings == dict(zip(CHARACTERISTICS, NINE, strict=True))
    inside, hole = nodule.contours
    assert (inside.z_mm, inside.is_inclusion, len(inside.edge_yx_vox)) == (-10.5, True, 16)
    assert (hole.is_inclusion, hole.edge_yx_vox.tolist()) == (False, [[21, 21]])


def test_points_are_small_nodules_or_no_nodules(reading):
    assert reading.points == (PointMark(0, "small_nodule", 3.0, 7, 9), PointMark(1, "non_nodule", -8.0, 100, 200))


def test_a_small_nodule_with_ratings_of_zero_is_a_small_nodule(writing):
    content = writing.message("1", writing.nodule("N", (0,) * 9, writing.roi(1, [(2, 3)])))
    assert [point.kind for point in parse_reading(content, "a.xml").points] == ["small_nodule"]


def test_an_outline_without_ratings_is_a_nodule_without_ratings(writing):
    content = writing.message("1", writing.nodule("N", (), writing.roi(1, writing.square(3, 5))))
    (nodule,) = parse_reading(content, "a.xml").nodules
    assert nodule.ratings == {}


def test_the_reading_of_a_chest_x_ray_is_none_of_ours():
    assert parse_reading(b'<IdriReadMessage xmlns="http://www.nih.gov/idri"/>', "a.xml") is None


def test_pixels_written_in_another_order_are_read_all_the_same(writing):
    content = writing.message("1", writing.nodule("N", NINE, writing.roi(1, [(4, 5), (6, 7)])))
    swapped = content.replace(b"<xCoord>5</xCoord><yCoord>4</yCoord>", b"<yCoord>4</yCoord><xCoord>5</xCoord>")
    assert swapped != content
    assert parse_reading(swapped, "a.xml").nodules[0].contours[0].edge_yx_vox.tolist() == [[4, 5], [6, 7]]


ENTITY = b'<!DOCTYPE r [<!ENTITY a "x">]><LidcReadMessage>&a;</LidcReadMessage>'
EXTERNAL = b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><LidcReadMessage/>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected XML"),
        (b"seriesuid,coordX", "expected XML"),
        (b"<LidcReadMessage><readingSession>", "expected XML"),
        (b"\xff\xfe\x00nothing", "expected XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "expected XML"),
        (b"<html/>", "expected the root element LidcReadMessage, found html"),
        (b"<LidcReadMessage/>", "expected an element readingSession, found none"),
        (ENTITY, "expected no document type, found <!DOCTYPE r>"),
        (EXTERNAL, "expected no document type"),
        (b"<LidcReadMessage>&nothing;</LidcReadMessage>", "expected XML"),
    ],
)
def test_what_is_no_reading_is_refused(content, words):
    with pytest.raises(ReadingError, match=r"^folder/a\.xml: ") as caught:
        parse_reading(content, "folder/a.xml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "<malignancy>2",
            "<malignancy>6",
            "characteristics/malignancy: expected a whole number from 1 to 5, found '6'",
        ),
        ("<malignancy>2", "<malignancy>0", "expected a whole number from 1 to 5, found '0'"),
        ("<malignancy>2", "<malignancy>two", "found 'two'"),
        ("<malignancy>2", "<malignancy>²", "found '²'"),
        ("<malignancy>2</malignancy>", "", "characteristics: expected one element malignancy, found none"),
        ("<malignancy>2", "<malignancy>2</malignancy><malignancy>3", "expected one element malignancy, found 2"),
        ("<noduleID>N1", "<noduleID>", "noduleID: expected a text, found none"),
        ("<imageZposition>1 ", "<imageZposition>1_0", "expected a finite number in mm, found '1_0'"),
        ("<imageZposition>1 ", "<imageZposition>١", "expected a finite number in mm, found '١'"),
        (
            "<imageZposition>1 ",
            "<imageZposition>nan",
            "roi/imageZposition: expected a finite number in mm, found 'nan'",
        ),
        ("<imageZposition>1 ", "<imageZposition>1,5", "found '1,5'"),
        ("TRUE", "MAYBE", "roi/inclusion: expected TRUE or FALSE, found 'MAYBE'"),
        ("<xCoord>4", "<xCoord>-4", "edgeMap[3]/xCoord: expected a whole number from 0 to 65535, found '-4'"),
        ("<xCoord>4", "<xCoord>4.5", "found '4.5'"),
        ("<xCoord>4", "<xCoord>9999999", "found '9999999'"),
        ("<xCoord>4</xCoord>", "", "edgeMap[3]: expected one element xCoord, found none"),
        ("<SeriesInstanceUid>1.2", "<SeriesInstanceUid>", "ResponseHeader/SeriesInstanceUid: expected a text"),
        ("ResponseHeader", "Header", "LidcReadMessage: expected one element ResponseHeader, found none"),
    ],
)
def test_a_malformed_element_is_named(writing, old, new, words):
    edge = [(2, 2), (2, 3), (2, 4), (3, 4), (3, 3), (3, 2)]
    content = writing.message("1.2", writing.nodule("N1", NINE, writing.roi(1, edge))).decode()
    broken = content.replace(old, new) if "Header" in old else content.replace(old, new, 1)
    assert broken != content
    with pytest.raises(ReadingError, match=r"^a\.xml: LidcReadMessage") as caught:
        parse_reading(broken.encode(), "a.xml")
    assert words in str(caught.value)


def test_nodule_without_outline_and_outline_without_pixel_are_refused(writing):
    for parts, words in (
        (writing.nodule("N", NINE), "unblindedReadNodule: expected an element roi"),
        (writing.nodule("N", NINE, writing.roi(1, [])), "roi: expected an element edgeMap"),
    ):
        with pytest.raises(ReadingError, match=words):
            parse_reading(writing.message("1", parts), "a.xml")


def test_the_second_of_several_is_named_by_its_number(writing):
    good = writing.nodule("A", NINE, writing.roi(1, writing.square(3, 4)))
    bad = writing.nodule("B", (9, *NINE[1:]), writing.roi(1, writing.square(3, 4)))
    with pytest.raises(ReadingError, match=r"readingSession\[2\]/unblindedReadNodule\[2\]/characteristics/subtlety"):
        parse_reading(writing.message("1", good, good + bad), "a.xml")
