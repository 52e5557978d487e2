"""The official LUNA16 rules once more, in plain Python and exact fractions, as slow and as obvious as possible.

Nothing of this is shared with the package: it is what the fast evaluation is compared with.

Marks are tuples (series, z, y, x, probability), nodules and exclusions (series, z, y, x, diameter).
"""

from bisect import bisect_left
from fractions import Fraction


def evaluate(marks, nodules, exclusions, series_uids):
    """Return the counts, and the curve as a list of (false positives, found nodules), exact."""
    counts = dict.fromkeys(
        ("num_candidates", "true_positives", "false_positives", "ignored_on_excluded", "ignored_double"), 0
    )
    hit_probabilities, false_probabilities, num_nodules = [], [], 0
    for series in series_uids:
        kept = capped([mark for mark in marks if mark[0] == series])
        counts["num_candidates"] += len(kept)
        used = set()
        for nodule in nodules:
            if nodule[0] != series:
                continue
            num_nodules += 1
            inside = [index for index, mark in enumerate(kept) if is_hit(mark, nodule)]
            used.update(inside)
            if inside:
                counts["true_positives"] += 1
                counts["ignored_double"] += len(inside) - 1
                hit_probabilities.append(max(kept[index][4] for index in inside))
        for index, mark in enumerate(kept):
            if index in used:
                continue
            if any(exclusion[0] == series and is_hit(mark, exclusion) for exclusion in exclusions):
                counts["ignored_on_excluded"] += 1
            else:
                counts["false_positives"] += 1
                false_probabilities.append(mark[4])
    counts |= {"num_scans": len(series_uids), "num_nodules": num_nodules}
    counts["false_negatives"] = num_nodules - counts["true_positives"]
    return counts, curve(hit_probabilities, false_probabilities)


def capped(marks):
    """Return the marks of one scan that count."""
    if len(marks) <= 100:
        return marks
    cut = sorted((mark[4] for mark in marks), reverse=True)[100]
    return [mark for mark in marks if mark[4] > cut]


def is_hit(mark, finding):
    """Tell whether a mark lies strictly inside a finding."""
    diameter = 10.0 if finding[4] < 0 else finding[4]
    distance2 = sum((a - b) ** 2 for a, b in zip(mark[1:4], finding[1:4], strict=True))
    return distance2 < (diameter / 2.0) ** 2


def curve(hit_probabilities, false_probabilities):
    """Return the points of the curve: at each probability, how many false positives and hits are at least as high."""
    hits, falses = sorted(hit_probabilities), sorted(false_probabilities)
    points = [(0, 0)]
    for threshold in sorted({*hits, *falses}, reverse=True):
        points.append((len(falses) - bisect_left(falses, threshold), len(hits) - bisect_left(hits, threshold)))
    return points


def sensitivity_at(points, rate, num_scans, num_nodules):
    """Return the sensitivity at a rate, on straight lines between the points, as an exact fraction."""
    target = Fraction(rate) * num_scans
    last = max(index for index, (false_positives, _) in enumerate(points) if false_positives <= target)
    x0, y0 = points[last]
    if last + 1 == len(points):
        return Fraction(y0, num_nodules)
    x1, y1 = points[last + 1]
    return (y0 + (y1 - y0) * (target - x0) / (x1 - x0)) / num_nodules


def cpm(points, num_scans, num_nodules):
    """Return the mean sensitivity at the seven official rates, as an exact fraction."""
    rates = [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), 1, 2, 4, 8]
    return sum(sensitivity_at(points, rate, num_scans, num_nodules) for rate in rates) / 7
