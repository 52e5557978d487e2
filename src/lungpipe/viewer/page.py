"""Write a scene as one HTML page: voxels, program and library inside, no request to any other place."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from lungpipe import __version__
from lungpipe.geometry import Grid
from lungpipe.prediction.result import NOTICE
from lungpipe.tables import replacing
from lungpipe.viewer.library import read_library, read_licences
from lungpipe.viewer.scene import Mark, Scene
from lungpipe.viewer.voxels import encode_voxels

SCRIPTS = ("decode", "geometry", "planes", "marks", "table", "pointer", "viewer", "controls", "main")
"""The page's own program, in the order of its parts."""
_PART = re.compile("%(style|scene|voxels|library|script)%")
"""A place in viewer.html for a part that is no text of the page."""


def write_page(scene: Scene, path: Path, *, threads: int = 1) -> None:
    """Write a scene as one HTML file that opens without a network; atomically.

    The page has no identifier of the patient: the series is named by a digest.
    """
    with replacing(Path(path)) as temporary, temporary.open("wb") as stream:
        for part in _render(scene, threads):
            stream.write(part)


def _render(scene: Scene, threads: int) -> Iterator[bytes]:
    environment = Environment(
        loader=PackageLoader("lungpipe.viewer", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("viewer.html").render(
        version=__version__, notice=NOTICE, facts=describe(scene), notes=scene.notes
    )
    parts: dict[str, Callable[[], Iterable[bytes]]] = {
        "style": lambda: [_read("viewer.css")],
        "scene": lambda: [json.dumps(scene_facts(scene), allow_nan=False).replace("<", "\\u003c").encode("ascii")],
        "voxels": lambda: _slabs(scene, threads),
        "library": _library,
        "script": lambda: (_read(f"{name}.js") for name in SCRIPTS),
    }
    pieces = _PART.split(text)
    yield pieces[0].encode("utf-8")
    for name, after in zip(pieces[1::2], pieces[2::2], strict=True):
        yield from parts[name]()
        yield after.encode("utf-8")


def _slabs(scene: Scene, threads: int) -> Iterator[bytes]:
    for slab in encode_voxels(scene, threads=threads):
        place = f'data-array="{slab.array}" data-first="{slab.first}" data-count="{slab.count}"'
        yield b'<script type="text/plain" %s>%s</script>\n' % (place.encode("ascii"), slab.text)


def _library() -> Iterator[bytes]:
    yield f'<script type="text/plain" id="licences">{read_licences()}</script>\n'.encode()
    yield f"<script>{read_library()}</script>".encode()


def describe(scene: Scene) -> str:
    """Return a line about the scan: digest, voxels of the page and of the scan."""
    text = f"scan {scene.digest}: {_size(scene.grid)}"
    return text if scene.grid == scene.scan_grid else f"{text}; the scan's own: {_size(scene.scan_grid)}"


def scene_facts(scene: Scene) -> dict[str, Any]:
    """Return what the page's program needs beside the voxels; positions and sizes in the order x, y, z, LPS mm."""
    to_world = _affine(scene.grid)
    return {
        "size_xyz": scene.grid.size_xyz,
        "spacing_xyz_mm": scene.grid.spacing_xyz_mm,
        "index_to_world": to_world[:3].tolist(),
        "world_to_index": np.linalg.inv(to_world)[:3].tolist(),
        # the last row of xyz: the index along the first axis of the scan's array
        "world_to_slice": np.linalg.inv(_affine(scene.scan_grid))[2].tolist(),
        "num_slices": scene.scan_grid.shape_zyx[0],
        "masks": sorted(scene.masks),
        "threshold": scene.threshold,
        "candidates": [_candidate(mark) for mark in scene.marks],
    }


def _candidate(mark: Mark) -> dict[str, Any]:
    facts = asdict(mark)
    z, y, x = facts.pop("center_zyx_mm")
    return {**facts, "center_xyz_mm": [x, y, z]}


def _affine(grid: Grid) -> NDArray[np.float64]:
    """Return the 4x4 matrix from voxel index to world, both xyz."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(grid.direction_xyz, (3, 3)) * np.asarray(grid.spacing_xyz_mm)
    matrix[:3, 3] = grid.origin_xyz_mm
    return matrix


def _size(grid: Grid) -> str:
    sizes = " × ".join(str(size) for size in grid.size_xyz)
    return f"{sizes} voxels of {' × '.join(f'{step:.3g}' for step in grid.spacing_xyz_mm)} mm"


def _read(name: str) -> bytes:
    return files("lungpipe.viewer").joinpath("page", name).read_bytes()
