"""Readings written by hand: squares as outlines, single pixels as marks."""

import pytest

NAMES = [
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
]


def _square(low, high):
    """The outline of the pixels low..high (both inside), y and x alike: the ring of pixels around them."""
    a, b = low - 1, high + 1
    top = [(a, x) for x in range(a, b)]
    right = [(y, b) for y in range(a, b)]
    bottom = [(b, x) for x in range(b, a, -1)]
    left = [(y, a) for y in range(b, a, -1)]
    return [*top, *right, *bottom, *left]


def _roi(z, edge, inclusion="TRUE"):
    points = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for y, x in edge)
    return f"<roi><imageZposition>{z} </imageZposition><inclusion>{inclusion}</inclusion>{points}</roi>"


def _nodule(name, ratings, *rois):
    rated = "".join(f"<{key}>{value}</{key}>" for key, value in zip(NAMES, ratings, strict=False))
    characteristics = f"<characteristics>{rated}</characteristics>" if ratings else ""
    inside = f"<noduleID>{name}</noduleID>{characteristics}{''.join(rois)}"
    return f"<unblindedReadNodule>{inside}</unblindedReadNodule>"


def _point(z, y, x):
    locus = f"<locus><xCoord>{x}</xCoord><yCoord>{y}</yCoord></locus>"
    return f"<nonNodule><nonNoduleID>n</nonNoduleID><imageZposition>{z}</imageZposition>{locus}</nonNodule>"


def _message(series_uid, *sessions):
    head = f"<ResponseHeader><SeriesInstanceUid>{series_uid}</SeriesInstanceUid></ResponseHeader>"
    body = "".join(f"<readingSession>{session}</readingSession>" for session in sessions)
    return f'<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov">{head}{body}</LidcReadMessage>'.encode()


class Writing:
    """The parts that a reading is written from."""

    square = staticmethod(_square)
    roi = staticmethod(_roi)
    nodule = staticmethod(_nodule)
    point = staticmethod(_point)
    message = staticmethod(_message)


@pytest.fixture(scope="session")
def writing():
    return Writing
