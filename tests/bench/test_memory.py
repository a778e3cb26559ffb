"""What `bench.memory` computes where it does not measure is what it measures elsewhere."""

import pytest

from bench.memory import FORMS, peak

SIDES = {"non-local, eager": 32, "non-local, efficient attention": 64}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_what_a_form_holds(form):
    side = SIDES.get(form.name, 128)
    gb, measured = peak(form, (side, side), "cpu")
    assert measured
    assert gb == pytest.approx(form.holds(side * side) / 1e9, rel=0.06)
