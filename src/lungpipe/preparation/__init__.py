"""Raw scans to stored volumes: a subset, or one scan of any format; checks, and comparison with reference masks."""
