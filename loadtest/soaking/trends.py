"""How fast something grows: least squares, and the median of slopes (Theil, Sen)."""

import math
import statistics

# Pairs of points are compared: more than so many points are thinned out evenly.
POINTS_MAX = 400


def least_squares(points):
    """Slope of [(x, y)]; 0 with fewer than two."""
    if len(points) < 2:
        return 0.0
    x = statistics.fmean(each for each, _ in points)
    y = statistics.fmean(each for _, each in points)
    spread = sum((each - x) ** 2 for each, _ in points)
    return sum((a - x) * (b - y) for a, b in points) / spread if spread else 0.0


def theil_sen(points):
    """(slope, lower, upper): the median of all pairs' slopes and its 95 % interval (Sen 1968).

    A single jump, such as a cache that fills, hardly moves it.
    """
    points = points[::math.ceil(len(points) / POINTS_MAX) or 1]
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0])
                    for index, a in enumerate(points) for b in points[index + 1:]
                    if b[0] != a[0])
    if not slopes:
        return 0.0, 0.0, 0.0
    count = len(points)
    width = 1.96 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, round((len(slopes) - width) / 2))
    high = min(len(slopes) - 1, round((len(slopes) + width) / 2))
    return statistics.median(slopes), slopes[low], slopes[high]
