"""What surrounds the rooms: tracking and provenance; used by the workflow's scripts and the command line only."""
