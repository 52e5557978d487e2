"""The outputs of predictions: one scan's folder of files, and many scans one after the other."""
