"""Volume rendering of lungs and nodules by VTK (extra `viz`); only commands use this room."""
