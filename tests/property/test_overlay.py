"""Laying one mapping over another."""

from hypothesis import given
from hypothesis import strategies as st

from lungpipe.settings.load import overlay

_leaves = st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
_trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(_leaves, lambda node: st.dictionaries(st.sampled_from("abc"), node)),
    max_size=3,
)


def paths(tree, prefix=()):
    """Every leaf (and empty mapping) by its path."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def look_up(tree, path):
    for key in path:
        tree = tree[key]
    return tree


@given(_trees, _trees)
def test_every_leaf_of_the_delta_is_there_and_what_it_does_not_name_stays(base, delta):
    merged = overlay(base, delta)
    named = dict(paths(delta))
    for path, value in named.items():
        assert look_up(merged, path) == value or value == {}
    for path, value in paths(base):
        if not any(path[: len(other)] == other or other[: len(path)] == path for other in named):
            assert look_up(merged, path) == value


@given(_trees, _trees)
def test_nothing_over_it_and_itself_over_it_change_nothing(base, delta):
    assert overlay(base, {}) == overlay(base, base) == overlay({}, base) == base
    merged = overlay(base, delta)
    assert overlay(merged, delta) == merged
