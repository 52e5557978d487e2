"""Remove the lines of source code that torch notes in programs: they name folders of the machine that wrote them."""

import io

import torch

_OF_THE_FILE = ("version", "byteorder", ".data/")
"""Records that torch's writer adds by itself."""
_SOURCE_LINES = ".debug_pkl"
_TRACE = "stack_trace"


def without_source_lines(content: bytes) -> bytes:
    """Return a TorchScript file without the source lines of its operations, which are for messages of errors alone.

    They name files by their full paths, and the temporary script of a workflow's job, which has another name each time.
    """
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    stream = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(stream)
    names = reader.get_all_records()
    # operations are read as those of the file's version
    version = next(name for name in names if name.endswith("version"))
    writer.set_min_version(int(reader.get_record(version)))
    for name in names:
        if not name.endswith(_SOURCE_LINES) and not name.startswith(_OF_THE_FILE):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return stream.getvalue()


def remove_source_lines(program: torch.export.ExportedProgram) -> None:
    """Remove the source lines from every operation of an exported program, in place; ONNX takes them from there."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop(_TRACE, None)
