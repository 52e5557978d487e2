"""Ranges of free sizes are in the order of their names, whatever the order in which torch collected them."""

import io

import torch
from torch.export import Dim

from lungpipe.export.range_order import sort_ranges


def export_sum():
    """A program with three free sizes."""
    shape = {axis: Dim(f"side{axis}", min=2, max=9) for axis in range(3)}
    return torch.export.export(torch.nn.Sigmoid(), (torch.rand(3, 4, 5),), dynamic_shapes=(shape,))


def saved(program):
    stream = io.BytesIO()
    torch.export.save(program, stream)
    return stream.getvalue()


def test_the_order_of_ranges_changes_no_byte():
    program = export_sum()
    ranges = program.range_constraints
    sort_ranges(program)
    names, content = [str(symbol) for symbol in ranges], saved(program)
    assert names == sorted(names)
    assert len(names) == 3
    backwards = dict(reversed(ranges.items()))
    ranges.clear()
    ranges.update(backwards)
    assert saved(program) != content
    sort_ranges(program)
    assert saved(program) == content


def test_the_ranges_stay_those_of_their_sizes():
    program = export_sum()
    before = dict(program.range_constraints)
    sort_ranges(program)
    assert program.range_constraints == before
