"""From volumes to candidates, and from candidates to probabilities."""

from lungpipe.inference.detect import detect_series
from lungpipe.inference.score import score_candidates
from lungpipe.inference.tiles import predict_voxels

__all__ = ["detect_series", "predict_voxels", "score_candidates"]
