"""The scorer in the package on a drawn chest: the mass of its maps is on the nodules."""

import numpy as np
import pytest
from chest_models import draw_chests

from lungpipe.delivery.explanation import (
    choose_candidates,
    explain,
    explanation_table,
    open_explained,
)
from lungpipe.models.hardware import name_hardware
from lungpipe.models.stored import load_role
from lungpipe.shipped import require_shipped_model
from lungpipe.tables import CENTER_COLUMNS


@pytest.mark.slow
def test_the_mass_of_a_map_is_on_the_nodule(tmp_path):
    [scan] = draw_chests(tmp_path)
    model = load_role(require_shipped_model(), "scorer")
    opened = open_explained(scan, model.card.spacing_zyx_mm)
    nodules = choose_candidates(tmp_path / "annotations.csv", opened.volume, threshold=0.0, most=5)
    explanation = explain(model, opened, nodules, output="nodule", hardware=name_hardware("cpu", 1))
    table = explanation_table(explanation)
    times = table["share_in_nodule"] / table["share_of_patch"]
    # an even map has 1
    assert np.median(times) > 4
    assert (table["map_maximum"] > 0).all()
    for heat, center in zip(explanation.maps, nodules[list(CENTER_COLUMNS)].to_numpy(), strict=True):
        assert heat.grid.contains(center)
