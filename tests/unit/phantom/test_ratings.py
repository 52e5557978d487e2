import numpy as np
import pytest

from lungpipe.phantom.ratings import MIN_DIAMETER_MM, Appearance, draw_appearance, draw_ratings, rate_traits, risk


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    looks = [draw_appearance(26.0, rng) for _ in range(3000)]
    return looks, [draw_ratings(look, rng) for look in looks]


def area_under_curve(scores, is_positive):
    """Probability that a positive scores above a negative (ties count half)."""
    scores, is_positive = np.asarray(scores), np.asarray(is_positive)
    above = scores[is_positive][:, None] - scores[~is_positive][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def test_area_under_curve_by_hand():
    assert area_under_curve([1, 2, 2, 3], [False, True, False, True]) == pytest.approx((1 + 0.5 + 1 + 1) / 4)


def test_diameters_keep_their_bounds_and_are_mostly_4_to_15_mm(drawn):
    diameters = np.array([look.diameter_mm for look in drawn[0]])
    assert diameters.min() >= MIN_DIAMETER_MM
    assert diameters.max() <= 26
    assert np.mean((diameters > 4) & (diameters < 15)) > 0.75
    assert 6.5 < np.median(diameters) < 8.5


def test_every_trait_occurs(drawn):
    looks = drawn[0]
    for name, count in (("texture", 3), ("margin", 3), ("setting", 3), ("is_calcified", 2)):
        values = [getattr(look, name) for look in looks]
        assert len(set(values)) == count
        assert min(values.count(v) for v in set(values)) > 0.05 * len(values)


def test_no_spicules_where_the_scan_cannot_show_them(drawn):
    for look in drawn[0]:
        if look.margin == "spiculated":
            assert look.diameter_mm >= 4.5
            assert look.texture != "ground_glass"
        if look.is_calcified:
            assert (look.texture, look.margin) == ("solid", "smooth")


def test_three_or_four_readers_rate_from_1_to_5(drawn):
    ratings = drawn[1]
    assert {len(r) for r in ratings} == {3, 4}
    assert {v for r in ratings for v in r} == {1, 2, 3, 4, 5}


def test_the_traits_are_rated_on_lidcs_scales():
    calcified = rate_traits(Appearance(8.0, "solid", "smooth", "isolated", is_calcified=True), 3)
    faint = rate_traits(Appearance(6.0, "ground_glass", "lobulated", "isolated", is_calcified=False), 4)
    assert calcified == {
        "subtlety": (4,) * 3, "internal_structure": (1,) * 3, "calcification": (3,) * 3, "sphericity": (4,) * 3,
        "margin": (5,) * 3, "lobulation": (1,) * 3, "spiculation": (1,) * 3, "texture": (5,) * 3,
    }  # fmt: skip
    assert {name: values[0] for name, values in faint.items() if values[0] != calcified[name][0]} == {
        "subtlety": 2, "calcification": 6, "sphericity": 3, "margin": 2, "lobulation": 4, "texture": 1,
    }  # fmt: skip
    assert {len(values) for values in faint.values()} == {4}


def test_diameter_alone_predicts_malignancy_fairly_and_the_look_much_better(drawn):
    looks, ratings = drawn
    is_malignant = np.array([np.mean(r) > 3 for r in ratings])
    by_diameter = area_under_curve([look.diameter_mm for look in looks], is_malignant)
    by_look = area_under_curve([risk(look) for look in looks], is_malignant)
    assert 0.7 < by_diameter < 0.8
    assert by_look > 0.95
    assert 0.25 < is_malignant.mean() < 0.5


@pytest.mark.parametrize(
    ("safer", "riskier"),
    [
        (("solid", "smooth", True), ("solid", "smooth", False)),
        (("solid", "smooth", False), ("solid", "lobulated", False)),
        (("solid", "lobulated", False), ("solid", "spiculated", False)),
        (("solid", "spiculated", False), ("part_solid", "spiculated", False)),
    ],
)
def test_risk_rises_with_each_trait_at_equal_size(safer, riskier):
    def at(traits):
        texture, margin, is_calcified = traits
        return risk(Appearance(8.0, texture, margin, "isolated", is_calcified))

    assert at(safer) < at(riskier)


def test_risk_rises_with_size():
    risks = [risk(Appearance(d, "solid", "smooth", "isolated", False)) for d in (4.0, 8.0, 16.0)]
    np.testing.assert_allclose(np.diff(risks), 1.35 * np.log(2))
