"""lungpipe: from raw LUNA16 scans to an officially judged study."""
