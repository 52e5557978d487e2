"""DICOM folders: what is not one regular CT volume is refused with the slice's name, and nothing is written."""

import numpy as np
import pydicom
import pytest
from dicom_files import slice_elements, store, write_ct
from pydicom.uid import CTImageStorage, MediaStorageDirectoryStorage

HU = np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 2 - 900
UID = "1.2.3.4.5"


def write_slice(folder, index, name=None, **changes):
    """Write slice `index` (5 mm steps along each axis); `changes` replace elements, None drops one."""
    folder.mkdir(parents=True, exist_ok=True)
    elements = slice_elements(index, UID, store(HU[index])) | changes
    return write_ct(folder / (name or f"{index}.dcm"), CTImageStorage, f"{UID}.{index}", elements)


@pytest.fixture
def folder(tmp_path):
    for index in range(6):
        write_slice(tmp_path / "series", index)
    return tmp_path / "series"


def every(**changes):
    return dict.fromkeys(range(6), changes)


# changes of slices by their number, and the message: {f} is the folder
CASES = {
    "no CT": (every(Modality="MR"), "{f}/0.dcm: Modality: expected CT, found MR"),
    "one slice of another modality": ({3: {"Modality": "SR"}}, "{f}/3.dcm: Modality: expected CT, found SR"),
    "RGB": (
        every(PhotometricInterpretation="RGB", SamplesPerPixel=3),
        "{f}/0.dcm: SamplesPerPixel: expected 1, found 3",
    ),
    "palette": (
        every(PhotometricInterpretation="PALETTE COLOR"),
        "{f}/0.dcm: PhotometricInterpretation: expected MONOCHROME1 or MONOCHROME2, found PALETTE COLOR",
    ),
    "no RescaleSlope": (
        every(RescaleSlope=None),
        "{f}/0.dcm: expected the element RescaleSlope, found none",
    ),
    "RescaleSlope missing in one slice": (
        {4: {"RescaleSlope": None}},
        "{f}/4.dcm: expected the element RescaleSlope, found none",
    ),
    "two RescaleSlopes": (
        {2: {"RescaleSlope": [1, 2]}},
        "{f}/2.dcm: expected a finite rescale that is not 0, found [1.0, 2.0] and -1024.0",
    ),
    "density, not HU": (every(RescaleType="MGML"), "{f}/0.dcm: RescaleType: expected HU or HU_MOD, found MGML"),
    "no RescaleIntercept's effect": (
        every(RescaleIntercept=0),
        "{f}: expected HU with air (voxels from -1500 to -200), found values from 124 to 1082",
    ),
    "another pixel spacing": (
        {2: {"PixelSpacing": [5.0, 5.5]}},
        "{f}/2.dcm: PixelSpacing: expected [5.0, 5.0] as in 0.dcm, found [5.0, 5.5]",
    ),
    "one number of pixel spacing": (
        {2: {"PixelSpacing": 5.0}},
        "{f}/2.dcm: PixelSpacing: expected [5.0, 5.0] as in 0.dcm, found 5.0",
    ),
    "another size": ({2: {"Rows": 5}}, "{f}/2.dcm: Rows: expected 8 as in 0.dcm, found 5"),
    "zero pixel spacing": (
        every(PixelSpacing=[0.0, 5.0]),
        "{f}: grid spacing: expected three positive lengths in mm, found (5.0, 0.0, 5.0)",
    ),
    "pixel spacing in m": (
        every(PixelSpacing=[0.005, 0.005]),
        "{f}: expected a spacing from 0.1 to 20 mm, found 5, 0.005, 0.005 (zyx)",
    ),
    "another orientation": (
        {5: {"ImageOrientationPatient": [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]}},
        "{f}/5.dcm: ImageOrientationPatient: expected [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] as in 0.dcm, found [0.0, 1.0,",
    ),
    "sheared orientation": (
        every(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.6, 0.8, 0.0]),
        "{f}/0.dcm: ImageOrientationPatient: expected perpendicular vectors, found [1.0, 0.0, 0.0, 0.6, 0.8, 0.0]",
    ),
    "no position": (
        {1: {"ImagePositionPatient": None}},
        "{f}/1.dcm: expected the element ImagePositionPatient, found none",
    ),
    "gap": (
        {5: {"ImagePositionPatient": [0.0, 0.0, 30.0]}},
        "{f}: expected slices 5.000 mm apart, found 10.000 mm between 4.dcm and 5.dcm",
    ),
    "two slices at one position": (
        {5: {"ImagePositionPatient": [0.0, 0.0, 20.0]}},
        "{f}: expected slices at different positions, found 4.dcm and 5.dcm at 20.000",
    ),
    "uneven tilt": (
        {index: {"ImagePositionPatient": [0.0, 0.2 * index**2, 5.0 * index]} for index in range(6)},
        "{f}/5.dcm: expected slices straight above each other, found 5.00 mm of sideways shift over 25.00 mm (tilted "
        "gantry), up to 0.67 mm beside an even tilt",
    ),
    "tilt of more than 45 degrees": (
        {index: {"ImagePositionPatient": [0.0, 6.0 * index, 5.0 * index]} for index in range(6)},
        "{f}/5.dcm: expected slices straight above each other, found 30.00 mm of sideways shift over 25.00 mm",
    ),
    "mixed series": (
        {index: {"SeriesInstanceUID": "1.2.9"} for index in (3, 4, 5)},
        "{f}: expected one series, or a choice among several, found 1.2.3.4.5, 1.2.9",
    ),
    "no series": (
        {2: {"SeriesInstanceUID": None}},
        "{f}/2.dcm: expected the element SeriesInstanceUID, found none",
    ),
    "fewer pixels than rows": (
        {2: {"PixelData": b"\0" * 100}},
        "{f}/2.dcm: expected 160 bytes of pixels (1 x 8 x 10), found 100",
    ),
    "more pixels than rows": (
        {2: {"PixelData": b"\0" * 320}},
        "{f}/2.dcm: expected 160 bytes of pixels (1 x 8 x 10), found 320",
    ),
    "rows that lie in every slice": (
        every(Rows=5),
        "{f}/0.dcm: expected 100 bytes of pixels (1 x 5 x 10), found 160",
    ),
    "no pixels": ({2: {"PixelData": None}}, "{f}/2.dcm: expected decodable pixels, found no element PixelData"),
    "another kind of pixels": (
        {2: {"BitsAllocated": 12}},
        "{f}/2.dcm: BitsAllocated: expected 8 or 16 or 32, found 12",
    ),
    "HU beyond int16": (
        {2: {"RescaleSlope": 100}},
        "{f}/2.dcm: expected HU within int16, found ",
    ),
    "slices without content": (
        {index: {"PixelData": (1024 * np.ones(80, "<u2")).tobytes()} for index in (2, 3)},
        "{f}: expected HU in every slice, found 2 of 6 with nothing but 0, the first at 2",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_malformed_series_is_refused_and_leaves_nothing(single, folder, name):
    changes, message = CASES[name]
    for index, elements in changes.items():
        write_slice(folder, index, **elements)
    assert single.refusal(folder).startswith(message.format(f=folder))


def test_empty_folder(single, tmp_path):
    (tmp_path / "series").mkdir()
    assert single.refusal(tmp_path / "series") == f"{tmp_path}/series: expected DICOM files, found none among 0 files"


def test_single_slice(single, tmp_path):
    write_slice(tmp_path / "series", 0)
    assert single.refusal(tmp_path / "series") == f"{tmp_path}/series: expected at least two slices, found 1"


def test_missing_slice(single, folder):
    (folder / "2.dcm").unlink()
    found = single.refusal(folder)
    assert found == f"{folder}: expected slices 5.000 mm apart, found 10.000 mm between 1.dcm and 3.dcm"


def test_copy_of_a_slice(single, folder):
    write_slice(folder, 2, name="copy.dcm")
    found = single.refusal(folder)
    assert found == f"{folder}: expected slices at different positions, found 2.dcm and copy.dcm at 10.000"


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "expected a DICOM file, found another content"),
        (100, "expected a DICOM file, found another content"),
        (140, "expected the element SeriesInstanceUID, found none"),
        (480, "BitsAllocated: expected 8 or 16 or 32, found None"),
        (-20, "expected 160 bytes of pixels (1 x 8 x 10), found 140"),
    ],
    ids=["empty", "preamble", "meta", "header", "pixels"],
)
def test_truncated_slice_is_named(single, folder, length, message):
    path = folder / "5.dcm"
    content = path.read_bytes()
    path.write_bytes(content[:length])
    # the last slice leaves no gap behind: the file itself must be missed
    assert single.refusal(folder).startswith(f"{path}: {message}")


def test_damaged_slice_without_an_ending_is_no_note(single, tmp_path):
    folder = tmp_path / "series"
    for index in range(6):
        write_slice(folder, index, name=f"IM{index}")
    (folder / "IM5").write_bytes(b"")
    assert single.refusal(folder) == f"{folder}/IM5: expected a DICOM file, found another content"


NO_NUMBERS = {
    "-1024.0": ("-1o24.0", "expected a finite rescale that is not 0, found 1.0 and -1o24.0"),
    "5.0\\5.0": ("5.0\\5.O", "PixelSpacing: expected 2 finite numbers, found ['5.0', '5.O']"),
    "0.0\\0.0\\0.0 ": (
        "0.0\\0.0\\O.0 ",
        "ImagePositionPatient: expected 3 finite numbers, found ['0.0', '0.0', 'O.0']",
    ),
    "1 ": ("I ", "expected a readable DICOM file, found invalid literal for int() with base 10: 'I'"),
}


@pytest.mark.parametrize(("number", "wrong"), [("5.0\\5.0", "5.0\\5_0"), ("-1024.0", "-1_24.0"), ("1 ", "1_")])
def test_number_that_only_python_would_read_is_named(single, tmp_path, number, wrong):
    folder = tmp_path / "series"
    for index in range(6):
        path = write_slice(folder, index, NumberOfFrames=1)
        content = path.read_bytes()
        start = content.rfind(number.encode())
        path.write_bytes(content[:start] + wrong.encode() + content[start + len(number) :])
    assert single.refusal(folder).startswith(f"{folder}/0.dcm: ")


def test_link_that_leads_nowhere_is_named(single, folder):
    # the last slice leaves no gap behind: without a word, a scan would lose its end
    (folder / "5.dcm").rename(folder.parent / "5.dcm")
    (folder / "5.dcm").symlink_to(folder / "gone.dcm")
    expected = f"{folder}/5.dcm: expected a readable DICOM file, found [Errno 2] No such file or directory"
    assert single.refusal(folder).startswith(expected)


@pytest.mark.parametrize("number", NO_NUMBERS, ids=["rescale", "spacing", "position", "frames"])
def test_unreadable_number_is_named(single, tmp_path, number):
    folder = tmp_path / "series"
    wrong, message = NO_NUMBERS[number]
    for index in range(6):
        path = write_slice(folder, index, NumberOfFrames=1)
        content = path.read_bytes()
        # the last: the 1 of the frames stands behind other texts
        start = content.rfind(number.encode())
        if start >= 0:
            path.write_bytes(content[:start] + wrong.encode() + content[start + len(number) :])
    assert single.refusal(folder) == f"{folder}/0.dcm: {message}"


def test_other_files_between_the_slices_are_passed_over(single, folder):
    (folder / "readings.xml").write_text("<xml/>")
    (folder / "notes.txt").write_text("")
    (folder / "LICENSE").write_text("CC BY 3.0")
    (folder / ".DS_Store").write_bytes(b"\0")
    index = pydicom.dcmread(write_slice(folder, 0, name="DICOMDIR"))
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    del index.SeriesInstanceUID
    index.save_as(folder / "DICOMDIR")
    np.testing.assert_array_equal(single.volume(folder).read_hu(), HU)


def test_chosen_series_of_several_is_prepared(single, folder):
    for index in range(6):
        write_slice(folder, index, name=f"other{index}.dcm", SeriesInstanceUID="1.2.9")
    volume = single.volume(folder, "1.2.9")
    assert volume.series_uid == "1.2.9"
    np.testing.assert_array_equal(volume.read_hu(), HU)


def test_names_with_spaces_and_umlauts(single, tmp_path):
    folder = tmp_path / "Größe der Lunge 肺"
    for index in range(6):
        write_slice(folder, index, name=f"Schicht größer {index}.DCM")
    np.testing.assert_array_equal(single.volume(folder).read_hu(), HU)


def test_oddly_many_pixels_of_one_byte_are_padded_to_an_even_length(single, tmp_path):
    """DICOM elements are of even length (PS3.5 7.1.1): one byte more is no error."""
    for index in range(6):
        # 7 x 5 pixels of one byte, 7 mm apart
        stored = (np.arange(35) * 6).astype("u1")
        write_slice(
            tmp_path / "series",
            index,
            Rows=7,
            Columns=5,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
            RescaleSlope=5,
            RescaleIntercept=-1000,
            PixelData=stored.tobytes() + b"\0",
        )
    hu = single.volume(tmp_path / "series").read_hu()
    np.testing.assert_array_equal(hu[3].ravel(), np.arange(35) * 30 - 1000)
