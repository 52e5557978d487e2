"""Datasets: raw scans, annotations and ratings in, as `Scan` objects and contract tables; the embedded phantom."""
