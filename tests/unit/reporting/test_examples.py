from lungpipe.reporting.examples import pick_examples


def test_hits_and_false_positives_by_probability_misses_by_diameter(stored):
    hits, misses, false_positives = pick_examples(stored.matches, 8)
    assert [(hit.probability, hit.diameter_mm) for hit in hits.shown] == [(0.95, 10.0), (0.80, 6.0)]
    assert [(miss.probability, miss.diameter_mm) for miss in misses.shown] == [(None, 14.0)]
    assert [(mark.probability, mark.diameter_mm) for mark in false_positives.shown] == [(0.70, 5.0), (0.60, 4.0)]


def test_the_place_is_the_annotated_centre_for_a_hit_and_the_candidates_for_a_false_positive(stored):
    hits, _, false_positives = pick_examples(stored.matches, 8)
    assert hits.shown[0].center_zyx_mm == (-88.0, -20.0, 0.0)
    assert false_positives.shown[0].center_zyx_mm == (-80.0, 0.0, -15.0)


def test_the_limit_cuts_what_is_shown_and_not_what_is_counted(stored):
    hits, _, false_positives = pick_examples(stored.matches, 1)
    assert (len(hits.shown), hits.num_all) == (1, 2)
    assert (len(false_positives.shown), false_positives.num_all) == (1, 2)


def test_an_unknown_diameter_is_the_ten_millimetres_of_the_hit_rule(stored):
    matches = stored.matches.assign(diameter_mm=stored.matches["diameter_mm"].where(lambda d: d != 14.0, -1.0))
    _, misses, _ = pick_examples(matches, 8)
    assert misses.shown[0].diameter_mm == 10.0
