"""From volumes to detections, and from centres to scores."""
