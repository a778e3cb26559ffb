"""Power laws through points that follow one, and through points that do not quite."""

import numpy as np
import pytest

from bench.fits import fit


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(exponent):
    xs = [256, 1024, 4096, 65536]
    law = fit(xs, [3e-4 * x**exponent for x in xs])
    assert law.exponent == pytest.approx(exponent, abs=1e-9)
    assert law.factor == pytest.approx(3e-4)
    assert law.error < 1e-9
    assert law.at(2048) == pytest.approx(3e-4 * 2048**exponent)


def test_noise_moves_the_exponent_little_and_is_told():
    xs = 2.0 ** np.arange(8)
    noise = np.array([1.1, 0.9, 1.05, 0.95, 1.1, 0.9, 1.02, 1.0])
    law = fit(xs, 5 * xs**2 * noise)
    assert law.exponent == pytest.approx(2, abs=0.05)
    assert 0.05 < law.error < 0.2


def test_where_a_law_reaches_a_value():
    law = fit([1, 2, 4], [3, 12, 48])
    assert law.reaches(300) == pytest.approx(10)
    assert fit([1, 2], [5, 5]).reaches(6) == float("inf")


@pytest.mark.parametrize(("xs", "ys"), [([1], [2]), ([3, 3], [1, 2]), ([1, 2], [1, 2, 3])])
def test_too_few_points_are_refused(xs, ys):
    with pytest.raises(ValueError, match="two points"):
        fit(xs, ys)


def test_a_law_through_nothing_is_refused():
    with pytest.raises(ValueError, match="positive"):
        fit([1, 2], [0, 1])
