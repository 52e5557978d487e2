"""For other programs and people: DICOM objects of predictions, and models as folders with a card."""
