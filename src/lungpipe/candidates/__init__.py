"""Candidates: voxels grouped into lumps, detections merged, candidates labelled. No torch here."""

from lungpipe.candidates.detections import Detections, MaskCrop
from lungpipe.candidates.group import group_voxels
from lungpipe.candidates.label import CandidateLabels, label_candidates
from lungpipe.candidates.merge import keep_all, merge_detections, to_table

__all__ = [
    "CandidateLabels",
    "Detections",
    "MaskCrop",
    "group_voxels",
    "keep_all",
    "label_candidates",
    "merge_detections",
    "to_table",
]
