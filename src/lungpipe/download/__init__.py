"""Download LUNA16 from its public records: resumable, verified, unpacked atomically."""

from lungpipe.download.connection import ZENODO_RECORDS, FetchError
from lungpipe.download.fetch import fetch_luna16
from lungpipe.download.plan import FetchRequest
from lungpipe.download.transfer import RetryPolicy
from lungpipe.download.watch import Watch

__all__ = ["ZENODO_RECORDS", "FetchError", "FetchRequest", "RetryPolicy", "Watch", "fetch_luna16"]
