"""Candidates: voxels grouped into lumps, lumps merged, candidates labelled. No torch here."""

from lungpipe.candidates.group import Lumps, group_voxels
from lungpipe.candidates.label import CandidateLabels, label_candidates
from lungpipe.candidates.merge import merge_lumps, to_table

__all__ = ["CandidateLabels", "Lumps", "group_voxels", "label_candidates", "merge_lumps", "to_table"]
