"""Write a prediction into a folder: tables, masks and pictures, all of them or nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lungpipe.export.dicom_source import is_dicom_source
from lungpipe.prediction.document import Result, to_document
from lungpipe.prediction.file_names import (
    CANDIDATES_FILE,
    DICOM_FOLDER,
    LUNGS_FILE,
    NODULES_FILE,
    OVERLAYS_FOLDER,
    REPORT_FILE,
    RESULT_FILE,
    SEGMENTATION_FILE,
    VIEWER_FILE,
)
from lungpipe.prediction.model import LoadedModel
from lungpipe.prediction.result import NOTICE, Prediction
from lungpipe.prediction.stages import Stages
from lungpipe.prediction.tables import candidate_table, write_candidates
from lungpipe.preparation.image_files import write_image
from lungpipe.reporting.overlays import draw_overlays
from lungpipe.tables import is_full, naming, write_text
from lungpipe.viewer.page import write_page
from lungpipe.viewer.predicted import scene_of_prediction

IMAGE_NOTE = f"lungpipe: {NOTICE[0].lower()}{NOTICE[1:]}"
"""Kept in the NIfTI header (`descrip`)."""


class OutputError(ValueError):
    """A folder that must not be written to; the message names the folder."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is written beside candidates.csv and result.json, and how.

    has_dicom: DICOM objects, if `source` is DICOM. source: path of the scan, which is left out of all texts.
    is_forced: replace the folder of an earlier prediction. on_stage: called with the name of each stage when it begins.
    """

    has_masks: bool = True
    has_overlays: bool = True
    has_dicom: bool = True
    has_viewer: bool = True
    is_forced: bool = False
    source: Path | None = None
    on_stage: Callable[[str], None] | None = field(default=None, compare=False)


def write_prediction(prediction: Prediction, folder: Path, model: LoadedModel, wanted: Wanted | None = None) -> Result:
    """Write a prediction into a new or an empty folder and return the content of its result.json.

    Everything is written into a hidden folder beside `folder`, which is then renamed: a call that is stopped or fails
    leaves no `folder`, or the earlier one.

    Raises:
        OutputError: the folder must not be written to (see `check_output`).
        WriteError: the disk does not take an output.
    """
    wanted = wanted or Wanted()
    stages = Stages(wanted.on_stage)
    with replacing_folder(Path(folder), is_forced=wanted.is_forced) as draft:
        write_candidates([candidate_table(prediction)], draft / CANDIDATES_FILE)
        if wanted.has_masks:
            with stages.stage("write masks"):
                write_image(draft / LUNGS_FILE, prediction.lung_mask(), prediction.scan_grid, note=IMAGE_NOTE)
                write_image(draft / NODULES_FILE, prediction.nodule_mask(), prediction.scan_grid, note=IMAGE_NOTE)
        if wanted.has_overlays:
            with stages.stage("draw pictures"):
                draw_overlays(prediction, draft / OVERLAYS_FOLDER)
        if wanted.has_viewer:
            with stages.stage("write viewer"):
                scene = scene_of_prediction(prediction, source=wanted.source)
                write_page(scene, draft / VIEWER_FILE, threads=model.threads)
        remarks = prediction.remarks
        if wanted.has_dicom and wanted.source is not None:
            with stages.stage("write DICOM"):
                remarks += _write_dicom(prediction, draft / DICOM_FOLDER, model, wanted.source)
        files = sorted(path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file())
        timed = replace(prediction, remarks=remarks, times_s={**prediction.times_s, **stages.times_s})
        document = to_document(timed, model, source=wanted.source, files=tuple(files))
        write_text(draft / RESULT_FILE, document.model_dump_json(indent=2) + "\n")
    return document


def _write_dicom(prediction: Prediction, folder: Path, model: LoadedModel, source: Path) -> tuple[str, ...]:
    """Write segmentation and report if the source is DICOM; return remarks."""
    try:
        if not is_dicom_source(source):
            return ()
        # highdicom takes a second to import
        from lungpipe.export.dicom import make_dicom
        from lungpipe.export.dicom_source import opened_series

        with opened_series(source, prediction.series_uid) as series:
            made = None if series is None else make_dicom(prediction, series, tuple(model.digests.values()))
        if made is None:
            return ()
        folder.mkdir()
        for name, dataset in ((SEGMENTATION_FILE, made.segmentation), (REPORT_FILE, made.report)):
            with naming(folder / name, folder / name):
                dataset.save_as(folder / name, enforce_file_format=True)
    except Exception as error:
        if is_full(error):
            raise
        # a flaw of the source's headers must not cost the other outputs
        shutil.rmtree(folder, ignore_errors=True)
        return (f"no DICOM segmentation and report were written: {error}",)
    return ()


@contextmanager
def replacing_folder(folder: Path, *, is_forced: bool = False, marker: str = RESULT_FILE) -> Iterator[Path]:
    """Yield a hidden folder beside `folder`; rename the hidden folder to `folder` on success, remove it on error.

    Raises:
        OutputError: `folder` must not be written to (see `check_output`).
    """
    check_output(folder, is_forced=is_forced, marker=marker)
    draft, old = (folder.with_name(f".{folder.name}.{kind}-{os.getpid()}") for kind in ("partial", "old"))
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if folder.is_dir():
            os.replace(folder, old)
        try:
            os.replace(draft, folder)
        except BaseException:
            if old.is_dir():
                os.replace(old, folder)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_output(folder: Path, *, is_forced: bool = False, marker: str = RESULT_FILE) -> None:
    """Refuse a folder that is not ours to write to.

    `marker` is the file by which an earlier result of the same command is recognised.

    Raises:
        OutputError: a file; or a folder with content, unless it is forced and holds an earlier result.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder, found a file")
    if not any(folder.iterdir()):
        return
    if not is_forced:
        raise OutputError(f"{folder}: expected a new or an empty folder, found files; --force replaces a result")
    if not (folder / marker).is_file():
        raise OutputError(f"{folder}: expected an earlier result to replace, found files without {marker}")
