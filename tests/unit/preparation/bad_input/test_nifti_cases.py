"""NIfTI: a file that breaks the format, or has no place in the world, is refused and nothing is written."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError

HU = (np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 2 - 900).astype("<i2")
DTYPES = {2: "u1", 4: "<i2", 16: "<f4", 128: "u1", 1024: "<i8", 1280: "<u8"}
# nifti1.h: offset and struct format of each field that is set here
FIELDS = {
    "sizeof_hdr": (0, "<i"),
    "dim": (40, "<8h"),
    "datatype": (70, "<h"),
    "bitpix": (72, "<h"),
    "pixdim": (76, "<8f"),
    "vox_offset": (108, "<f"),
    "scl_slope": (112, "<f"),
    "scl_inter": (116, "<f"),
    "xyzt_units": (123, "<B"),
    "qform_code": (252, "<h"),
    "sform_code": (254, "<h"),
    "quatern": (256, "<3f"),
    "qoffset": (268, "<3f"),
    "srow": (280, "<12f"),
    "magic": (344, "<4s"),
}
GOOD = {
    "sizeof_hdr": (348,),
    "dim": (3, 10, 8, 6, 1, 1, 1, 1),
    "datatype": (4,),
    "bitpix": (16,),
    "pixdim": (1, 5, 5, 5, 0, 0, 0, 0),
    "vox_offset": (352,),
    "xyzt_units": (2,),
    "qform_code": (1,),
    "sform_code": (1,),
    # half a turn about z: RAS as LPS lies
    "quatern": (0, 0, 1),
    "srow": (-5, 0, 0, 0, 0, -5, 0, 0, 0, 0, 5, 0),
    "magic": (b"n+1\0",),
}
NAN = float("nan")


def nifti(voxels=HU, **changes):
    """A file's bytes; `changes` replace fields."""
    header = bytearray(352)
    for key, values in {**GOOD, **changes}.items():
        offset, form = FIELDS[key]
        struct.pack_into(form, header, offset, *values)
    return bytes(header) + (voxels if isinstance(voxels, bytes) else voxels.tobytes())


CASES = {
    "empty file": (b"", "expected a NIfTI-1 header of 348 bytes (or 540: NIfTI-2), found 0 bytes that begin with b''"),
    "text file": (
        b"Dear colleague,\n" * 40,
        "expected a NIfTI-1 header of 348 bytes (or 540: NIfTI-2), found 540 bytes that begin with b'Dear'",
    ),
    "truncated header": (nifti()[:300], "expected a NIfTI-1 header of 348 bytes, found 300 bytes that begin with b'"),
    "header of a length between": (
        nifti(sizeof_hdr=(400,)),
        "expected a NIfTI-1 header of 348 bytes (or 540: NIfTI-2), found 540 bytes that begin with b'\\x90",
    ),
    "truncated header of NIfTI-2": (
        nifti(sizeof_hdr=(540,))[:400],
        "expected a NIfTI-2 header of 540 bytes, found 400 bytes that begin with b'\\x1c\\x02\\x00\\x00'",
    ),
    "wrong magic of NIfTI-2": (
        nifti(sizeof_hdr=(540,)),
        "expected a NIfTI-2 file (magic b'n+2\\x00\\r\\n\\x1a\\n'), found b'\\x00\\x00",
    ),
    "header of a pair in NIfTI-2": (
        (540).to_bytes(4, "little") + b"ni2\0\r\n\x1a\n" + bytes(540),
        "expected a NIfTI-2 file (magic b'n+2\\x00\\r\\n\\x1a\\n'), found b'ni2\\x00\\r\\n\\x1a\\n'",
    ),
    "wrong magic": (nifti(magic=(b"ABC\0",)), "expected a NIfTI-1 file (magic b'n+1\\x00'), found b'ABC\\x00'"),
    "header of a pair": (nifti(magic=(b"ni1\0",)), "expected a NIfTI-1 file (magic b'n+1\\x00'), found b'ni1\\x00'"),
    "truncated": (nifti()[:-10], "expected a whole NIfTI image with 960 bytes of voxels, found 950"),
    "bytes behind the voxels": (nifti() + b"\0", "expected a whole NIfTI image with 960 bytes of voxels, found 960+"),
    "two dimensions": (
        nifti(dim=(2, 10, 8, 1, 1, 1, 1, 1)),
        "expected a NIfTI image of three dimensions, found [10, 8]",
    ),
    "four dimensions": (
        nifti(HU.tobytes() * 2, dim=(4, 10, 8, 6, 2, 1, 1, 1)),
        "expected a NIfTI image of three dimensions, found [10, 8, 6, 2]",
    ),
    "negative size": (
        nifti(dim=(3, 10, -8, 6, 1, 1, 1, 1)),
        "expected a NIfTI image of three dimensions, found [10, -8, 6]",
    ),
    "3 * 10^13 voxels": (
        nifti(dim=(3, 32000, 32000, 32000, 1, 1, 1, 1)),
        "expected at most 2147483648 voxels, found 32768000000000: (32000, 32000, 32000) (zyx)",
    ),
    "single slice": (
        nifti(HU[:1], dim=(3, 10, 8, 1, 1, 1, 1, 1)),
        "expected at least 2 voxels per axis, found (1, 8, 10) (zyx)",
    ),
    "RGB": (
        nifti(HU.tobytes() * 2, datatype=(128,), bitpix=(24,)),
        "expected NIfTI-1 voxels of a plain number type, found type 128",
    ),
    "neither qform nor sform": (
        nifti(qform_code=(0,), sform_code=(0,)),
        "expected a qform or an sform, found neither",
    ),
    "singular sform": (
        nifti(qform_code=(0,), srow=(-5, -5, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0)),
        "sform: grid direction: expected an orthonormal 3x3 matrix, found [[",
    ),
    "sform of zeros": (
        nifti(qform_code=(0,), srow=(0,) * 12),
        "sform: expected steps as long as pixdim says, found [0.0, 0.0, 0.0] and [5.0, 5.0, 5.0]",
    ),
    "sheared sform": (
        nifti(qform_code=(0,), srow=(-5, 3, 0, 0, 0, -4, 0, 0, 0, 0, 5, 0)),
        "sform: grid direction: expected an orthonormal 3x3 matrix, found [[",
    ),
    "qform that is no rotation": (
        nifti(sform_code=(0,), quatern=(1, 1, 1)),
        "qform: expected a rotation, found the quaternion 1, 1, 1",
    ),
    "NaN in the qform": (
        nifti(sform_code=(0,), quatern=(NAN, 0, 0)),
        "qform: expected a rotation, found the quaternion nan, 0, 0",
    ),
    "NaN in the origin": (
        nifti(sform_code=(0,), qoffset=(0, NAN, 0)),
        "qform: grid origin: expected three finite numbers in mm, found ",
    ),
    "qform and sform apart": (
        nifti(qoffset=(0, 0, 40)),
        "expected qform and sform to agree, found them 40.00 mm apart",
    ),
    "zero spacing": (
        nifti(pixdim=(1, 5, 0, 5, 0, 0, 0, 0)),
        "pixdim: expected three positive lengths in mm, found [5.0, 0.0, 5.0]",
    ),
    "lengths in m": (nifti(xyzt_units=(1,)), "xyzt_units: expected lengths in mm (2), found 1"),
    "lengths in micrometres": (nifti(xyzt_units=(3,)), "xyzt_units: expected lengths in mm (2), found 3"),
    "lengths in m, unnamed": (
        nifti(xyzt_units=(0,), sform_code=(0,), pixdim=(1, 0.005, 0.005, 0.005, 0, 0, 0, 0)),
        "expected a spacing from 0.1 to 20 mm, found 0.005, 0.005, 0.005 (zyx)",
    ),
    "voxels within the header": (
        nifti(vox_offset=(100,)),
        "vox_offset: expected a byte behind the header (348), found 100",
    ),
    "voxels nowhere": (nifti(vox_offset=(NAN,)), "vox_offset: expected a byte behind the header (348), found nan"),
    "NaN in the rescale": (nifti(scl_slope=(1,), scl_inter=(NAN,)), "scl_inter: expected a finite number, found nan"),
    "NaN among the voxels": (
        nifti(np.where(HU == 0, np.nan, HU).astype("<f4"), datatype=(16,), bitpix=(32,)),
        "expected finite HU within int16, found values outside",
    ),
    "HU as unsigned": (
        nifti(HU + 1024),
        "expected HU with air (voxels from -1500 to -200), found values from 124 to 1082",
    ),
    "windowed to 0-255": (
        nifti(((HU + 900) // 4).astype("u1"), datatype=(2,), bitpix=(8,)),
        "expected HU with air (voxels from -1500 to -200), found values from 0 to 239",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_malformed_file_is_refused_and_leaves_nothing(single, name):
    content, message = CASES[name]
    path = single.folder / "scan.nii"
    path.write_bytes(content)
    assert single.refusal(path).startswith(f"{path}: {message}")


PACKED = gzip.compress(nifti(), mtime=0)
GZIPPED = {
    "not gzip": (nifti(), "expected a whole NIfTI image, found Not a gzipped file (b'\\\\\\x01')"),
    "truncated": (
        PACKED[:-40],
        "expected a whole NIfTI image, found Compressed file ended before the end-of-stream marker was reached",
    ),
    "checksum lost": (
        PACKED[:-8],
        "expected a whole NIfTI image, found Compressed file ended before the end-of-stream marker was reached",
    ),
    "wrong checksum": (
        PACKED[:-8] + b"\1\2\3\4" + PACKED[-4:],
        "expected a whole NIfTI image, found CRC check failed ",
    ),
    "damaged stream": (
        PACKED[:10] + b"\xff" * 20 + PACKED[30:],
        "expected a whole NIfTI image, found Error -3 while decompressing data: ",
    ),
    "garbage behind the stream": (PACKED + b"more", "expected a whole NIfTI image, found Not a gzipped file (b'mo')"),
    "a bomb": (
        gzip.compress(nifti(HU.tobytes() + bytes(10**7))),
        "expected a whole NIfTI image with 960 bytes of voxels, found 960+",
    ),
    "empty file": (b"", "expected a NIfTI-1 header of 348 bytes (or 540: NIfTI-2), found 0 bytes that begin with b''"),
}


@pytest.mark.parametrize("name", GZIPPED)
def test_malformed_gzip_is_refused_and_leaves_nothing(single, name):
    content, message = GZIPPED[name]
    path = single.folder / "scan.nii.gz"
    path.write_bytes(content)
    assert single.refusal(path).startswith(f"{path}: {message}")


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_size_that_memory_could_hold_is_refused_without_taking_it(single, ending):
    """1200^3 voxels of eight bytes pass for a body of 2.4 m; the file holds 480 of two."""
    sizes = {"dim": (3, 1200, 1200, 1200, 1, 1, 1, 1), "pixdim": (1, 2, 2, 2, 0, 0, 0, 0), "sform_code": (0,)}
    content = nifti(datatype=(64,), bitpix=(64,), **sizes)
    path = single.folder / f"scan.{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    tracemalloc.start()
    message = single.refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message == f"{path}: expected a whole NIfTI image with 13824000000 bytes of voxels, found 960"
    assert peak < 10**8


def test_folder_with_the_ending_of_a_file_is_refused(single):
    path = single.folder / "scan.nii"
    path.mkdir()
    assert single.refusal(path) == f"{path}: expected DICOM files, found none among 0 files"


WORKING = {
    "both forms": {},
    "qform alone": {"sform_code": (0,)},
    "sform alone": {"qform_code": (0,)},
    "unit unknown": {"xyzt_units": (0,)},
    "no offset of the voxels": {"vox_offset": (0,)},
    "one time point": {"dim": (4, 10, 8, 6, 1, 1, 1, 1)},
    "NaN for no slope": {"scl_slope": (NAN,), "scl_inter": (NAN,)},
}


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("file", ["scan.nii", "Größe der Lunge 肺.NII.GZ"])
def test_correct_file_is_prepared(single, name, file):
    path = single.folder / file
    content = nifti(**WORKING[name])
    path.write_bytes(gzip.compress(content) if file.endswith("GZ") else content)
    volume = single.volume(path)
    np.testing.assert_array_equal(volume.read_hu(), HU)
    assert volume.series_uid == file.split(".")[0]
    assert volume.grid.is_axis_aligned


def test_64_bit_whole_numbers_are_hu_where_they_fit(single):
    path = single.folder / "scan.nii"
    path.write_bytes(nifti(HU.astype("<i8"), datatype=(1024,), bitpix=(64,)))
    np.testing.assert_array_equal(single.volume(path).read_hu(), HU)
    path.write_bytes(nifti(HU.astype("<i8") + 2**40, datatype=(1024,), bitpix=(64,)))
    with pytest.raises(ScanError, match="expected finite HU within int16"):
        read_scan(path)
    path.write_bytes(nifti((HU + 900).astype("<u8"), datatype=(1280,), bitpix=(64,), scl_slope=(1,), scl_inter=(-900,)))
    np.testing.assert_array_equal(read_scan(path).hu, HU)


def test_gzip_under_the_plain_name(single):
    path = single.folder / "scan.nii"
    path.write_bytes(PACKED)
    np.testing.assert_array_equal(single.volume(path).read_hu(), HU)
