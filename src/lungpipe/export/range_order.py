"""The same bytes of an exported program in every process: ranges of its free sizes in the order of their names."""

from torch.export import ExportedProgram


def sort_ranges(program: ExportedProgram) -> None:
    """Sort the ranges of the free sizes by name, in place.

    torch.export collects them from a set, whose order depends on the hash seed of the process, and writes them in this
    order into its own file and into ONNX.
    """
    ranges = program.range_constraints
    ordered = sorted(ranges.items(), key=lambda item: str(item[0]))
    ranges.clear()
    ranges.update(ordered)
