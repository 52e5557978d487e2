"""A scan with its candidates as one HTML page that opens offline."""
