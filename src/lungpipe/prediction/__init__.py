"""One scan outside a study, from its files to nodules with masks: the room behind `lungpipe.predict`."""
