"""An example of a request to a served model: a small crop with one ball of soft tissue in it."""

import base64
import tempfile
from pathlib import Path

import numpy as np

from lungpipe.geometry import Grid, sphere_mask
from lungpipe.tables import write_json

SIDE_VOX, DIAMETER_MM, LUNG_HU, TISSUE_HU = 48, 12.0, -850, 40


def write_example(path: Path) -> None:
    """Write the request as JSON: `columns` (one row), and `params` that search the whole crop."""
    # with SimpleITK, which costs the start of whoever imports this module
    from lungpipe.preparation.image_files import write_image

    grid = Grid((SIDE_VOX, SIDE_VOX, SIDE_VOX), (1.0, 1.0, 1.0))
    is_ball = sphere_mask(grid, np.full(3, SIDE_VOX / 2.0), DIAMETER_MM)
    hu = np.where(is_ball, TISSUE_HU, LUNG_HU).astype(np.int16)
    with tempfile.TemporaryDirectory(prefix="lungpipe-") as folder:
        image = Path(folder) / "crop.nii.gz"
        write_image(image, hu, grid)
        content = base64.b64encode(image.read_bytes()).decode("ascii")
    columns = {"file_name": ["crop.nii.gz"], "content": [content]}
    write_json(path, {"columns": columns, "params": {"threshold": 0.5, "is_whole": True}})
