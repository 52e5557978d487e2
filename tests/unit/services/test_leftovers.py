"""Leftovers of killed jobs are removed; files of living processes and other names stay."""

import os
import subprocess
import sys

from lungpipe.services.leftovers import remove_leftovers


def test_leftovers_of_dead_processes_are_removed_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f".model.{dead.pid}-0a1b2c3d.safetensors", f".out.nii.gz.{dead.pid}-0a1b2c3d"]
    kept = [f".model.{os.getpid()}-0a1b2c3d.safetensors", "model.safetensors", f"table.{dead.pid}-0a1b2c3d.csv"]
    kept += [f"1.2.ome.zarr/.left.{dead.pid}-0a1b2c3d", f".note.{dead.pid}.txt"]
    for name in (*names, *kept):
        path = tmp_path / "fold0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "fold0" / names[1]).unlink()
    (tmp_path / "fold0" / names[1] / "inner").mkdir(parents=True)
    assert sorted(path.name for path in remove_leftovers([tmp_path])) == sorted(names)
    left = [path for path in (tmp_path / "fold0").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path / "fold0").as_posix() for path in left) == sorted(kept)
