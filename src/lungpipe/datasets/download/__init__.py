"""LUNA16 from its public records: resumable, verified, unpacked, and whole or not there."""

from lungpipe.datasets.download.connection import ZENODO_RECORDS, FetchError
from lungpipe.datasets.download.fetch import fetch_luna16
from lungpipe.datasets.download.plan import FetchRequest
from lungpipe.datasets.download.transfer import RetryPolicy
from lungpipe.datasets.download.watch import Watch

__all__ = ["ZENODO_RECORDS", "FetchError", "FetchRequest", "RetryPolicy", "Watch", "fetch_luna16"]
