"""Every verdict follows from its rule: a good run passes it, a bad one does not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reproduction import verdicts

numbers = st.floats(-1e6, 1e6)
BAND = (0.2, 0.5, 0.9)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (verdicts.within("", 0.31, 0.3, 0.02), verdicts.within("", 0.33, 0.3, 0.02)),
        (verdicts.at_least("", [0.99, 1], 0.99), verdicts.at_least("", [0.98, 1], 0.99)),
        (verdicts.at_most("", [0.4, 0.5], 0.5), verdicts.at_most("", [0.4, 0.51], 0.5)),
        (
            verdicts.median_in_band("", [0, 0.5, 1], BAND),
            verdicts.median_in_band("", [0, 0.1, 1], BAND),
        ),
        (
            verdicts.ranges_overlap("", [0.1, 0.3], BAND),
            verdicts.ranges_overlap("", [0.1, 0.19], BAND),
        ),
        (
            verdicts.in_our_range("", [0.1, 0.3], 0.31, 0.02),
            verdicts.in_our_range("", [0.1, 0.3], 0.33, 0.02),
        ),
        (
            verdicts.same_distribution("", np.linspace(0, 1, 10), np.linspace(0.1, 1, 10)),
            verdicts.same_distribution("", np.linspace(0, 1, 10), np.linspace(1.1, 2, 10)),
        ),
        (verdicts.holds("", True, "", "", ""), verdicts.holds("", False, "", "", "")),
    ],
)
def test_a_bad_run_does_not_pass_the_rule(good, bad):
    assert good.verdict == verdicts.REPRODUCED
    assert bad.verdict == verdicts.DIFFERS


@pytest.mark.parametrize(
    "judge",
    [
        lambda x: verdicts.within("", x[0], 0.5, 1),
        lambda x: verdicts.at_least("", x, -1),
        lambda x: verdicts.at_most("", x, 1),
        lambda x: verdicts.median_in_band("", x, BAND),
        lambda x: verdicts.ranges_overlap("", x, BAND),
        lambda x: verdicts.in_our_range("", x, 0.5, 1),
    ],
)
def test_a_run_that_diverged_is_not_reproduced(judge):
    assert judge([math.nan, math.nan]).verdict == verdicts.DIFFERS


@given(st.lists(numbers, min_size=1, max_size=8), numbers, st.floats(0, 10))
def test_what_lies_in_a_range_lies_in_every_wider_one(ours, published, tolerance):
    narrow = verdicts.in_our_range("", ours, published, tolerance)
    wide = verdicts.in_our_range("", ours, published, tolerance + 1)
    assert (narrow.verdict, wide.verdict) != (verdicts.REPRODUCED, verdicts.DIFFERS)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_our_own_numbers_reproduce_themselves(ours):
    band = (min(ours), float(np.median(ours)), max(ours))
    assert verdicts.median_in_band("", ours, band).verdict == verdicts.REPRODUCED
    assert verdicts.ranges_overlap("", ours, band).verdict == verdicts.REPRODUCED
    assert verdicts.same_distribution("", ours, ours).verdict != verdicts.DIFFERS


def test_too_few_runs_for_a_test_to_tell_apart_are_not_said_to_be_alike():
    published = np.linspace(0, 1, 10)
    assert verdicts.same_distribution("", [-5, -5], published).verdict == verdicts.CANNOT
    assert verdicts.same_distribution("", [-5, -5, -5], published).verdict == verdicts.DIFFERS


def test_the_worst_comparison_decides_and_what_cannot_be_compared_does_not():
    good = verdicts.holds("", True, "", "", "")
    bad = verdicts.holds("", False, "", "", "")
    unknown = verdicts.cannot("", "0.9", "no number was published")
    assert verdicts.overall([good, unknown]) == verdicts.REPRODUCED
    assert verdicts.overall([good, unknown, bad]) == verdicts.DIFFERS
    assert verdicts.overall([unknown]) == verdicts.CANNOT
