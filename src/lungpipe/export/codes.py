"""Codes of DICOM objects about nodules, as the standardised objects of LIDC-IDRI use them (QIICR's lidc2dicom)."""

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

CATEGORY = codes.SCT.MorphologicallyAbnormalStructure
NODULE = codes.SCT.Nodule
LUNG = codes.SCT.Lung
SIDES = {"left": codes.SCT.Left, "right": codes.SCT.Right}
CT_OF_CHEST = CodedConcept("24627-2", "LN", "CT Chest")
DIAMETER = CodedConcept("81827009", "SCT", "Diameter")
VOLUME = CodedConcept("118565006", "SCT", "Volume")
CERTAINTY = CodedConcept("111012", "DCM", "Certainty of Finding")
"""Per cent: the probability of a nodule."""
MALIGNANCY = CodedConcept("RID36042", "RADLEX", "Malignancy")
"""Per cent: the probability that readers rate the nodule malignant."""
RATINGS = {
    "subtlety": CodedConcept("C45992", "NCIt", "Subtlety score"),
    "spiculation": CodedConcept("C28749", "NCIt", "Spiculation"),
}
"""Expected ratings, 1 to 5, that have a code."""
MILLIMETRE = CodedConcept("mm", "UCUM", "millimeter")
CUBIC_MILLIMETRE = CodedConcept("mm3", "UCUM", "cubic millimeter")
PERCENT = codes.UCUM.Percent
SCORE = CodedConcept("{score}", "UCUM", "score")
"""Unit of a rating, 1 to 5."""
