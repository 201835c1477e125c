"""Every verdict follows from its rule: a good run passes it, a bad one does not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reproduction import verdicts
from scipy import stats

numbers = st.floats(-1e6, 1e6)
BAND = (0.2, 0.5, 0.9)
TEN = np.linspace(0.3, 0.8, 10)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (verdicts.within("", 0.31, 0.3, 0.02), verdicts.within("", 0.33, 0.3, 0.02)),
        (verdicts.at_least("", [0.99, 1], 0.99), verdicts.at_least("", [0.98, 1], 0.99)),
        (verdicts.in_band("", TEN, BAND, 20), verdicts.in_band("", TEN + 0.4, BAND, 20)),
        (verdicts.in_band("", TEN, BAND, 20), verdicts.in_band("", TEN - 0.4, BAND, 20)),
        (
            verdicts.one_run("", TEN, 0.81, 0.02, 10),
            verdicts.one_run("", TEN, 1.8, 0.02, 10),
        ),
        (
            verdicts.same_distribution("", np.linspace(0, 1, 10), np.linspace(0.1, 1, 10)),
            verdicts.same_distribution("", np.linspace(0, 1, 10), np.linspace(1.1, 2, 10)),
        ),
        (
            verdicts.curve_within("", [0.9, 0.8], [0.91, 0.78], 0.03),
            verdicts.curve_within("", [0.9, 0.7], [0.91, 0.78], 0.03),
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
        lambda x: verdicts.in_band("", x, BAND, 20),
        lambda x: verdicts.one_run("", x, 0.5, 1, len(x)),
        lambda x: verdicts.same_distribution("", x, TEN),
        lambda x: verdicts.curve_within("", x, x, 1),
    ],
)
def test_a_run_that_diverged_is_not_reproduced(judge):
    assert judge([math.nan] * 10).verdict == verdicts.DIFFERS


def test_order_holds_does_not_hold_or_cannot_be_told():
    higher = np.linspace(0.9, 1, 10)
    assert verdicts.ordered("", higher, higher - 0.1, "", "").verdict == verdicts.HOLDS
    assert verdicts.ordered("", higher - 0.1, higher, "", "").verdict == verdicts.FAILS
    hair = verdicts.ordered("", [0.998] * 10, [0.999, 0.998] * 5, "", "")
    assert hair.verdict == verdicts.UNTOLD
    assert hair.p > verdicts.LEVEL
    one = verdicts.ordered("", [1.0], [0.0], "", "")
    assert one.verdict == verdicts.UNTOLD
    assert verdicts.ordered("", [math.nan] * 10, TEN, "", "").verdict == verdicts.FAILS


def test_a_single_run_needs_the_range_of_ten():
    assert verdicts.one_run("", TEN[:9], 0.5, 0.02, 9).verdict == verdicts.CANNOT
    assert verdicts.one_run("", TEN, 0.5, 0.02, 10).verdict == verdicts.REPRODUCED


def test_values_of_one_run_are_no_runs_of_their_own():
    rng = np.random.default_rng(0)
    p, p_of_values = [], []
    for _ in range(100):
        ours, published = np.split(np.repeat(rng.normal(size=(13, 1)), 5, axis=1), [10])
        p.append(verdicts.same_distribution("", ours, published).p)
        p_of_values.append(verdicts.same_distribution("", ours.ravel(), published.ravel()).p)
    assert np.mean(np.array(p) < 0.05) <= 0.1  # 0.05, and twice its deviation of 0.022
    assert np.mean(np.array(p_of_values) < 0.05) > 0.3
    apart = verdicts.same_distribution("", rng.random((20, 5)), 1 + rng.random((3, 5)))
    assert apart.verdict == verdicts.DIFFERS
    assert apart.p == apart.least == pytest.approx(1 / 1771)


def test_runs_too_few_for_a_test_to_tell_apart_are_not_said_to_be_alike():
    published = np.linspace(0, 1, 10)
    assert verdicts.same_distribution("", [-5, -5], published).verdict == verdicts.CANNOT
    assert verdicts.same_distribution("", [-5, -5, -5], published).verdict == verdicts.DIFFERS
    assert verdicts.in_band("", [5, 5], BAND, 8).verdict == verdicts.CANNOT


@given(st.integers(0, 10), st.integers(8, 20))
@settings(deadline=None, max_examples=30)
def test_the_p_of_a_band_is_the_share_of_all_orders(outside, runs):
    """Of all orders of ten of ours and theirs, those with as many of ours in front."""
    ours = np.r_[np.full(outside, 1.0), np.full(10 - outside, 0.5)]
    # Ours before the first of theirs, counted from the top.
    expected = min(1.0, 2 * stats.nhypergeom(10 + runs, 10, 1).sf(outside - 1))
    assert verdicts.in_band("", ours, BAND, runs).p == pytest.approx(expected)


@given(st.lists(numbers, min_size=10, max_size=12), numbers, st.floats(0, 10))
def test_what_lies_in_a_range_lies_in_every_wider_one(ours, published, tolerance):
    narrow = verdicts.one_run("", ours, published, tolerance, len(ours))
    wide = verdicts.one_run("", ours, published, tolerance + 1, len(ours))
    assert (narrow.verdict, wide.verdict) != (verdicts.REPRODUCED, verdicts.DIFFERS)


@given(st.lists(numbers, min_size=10, max_size=12))
@settings(deadline=None, max_examples=30)
def test_our_own_numbers_reproduce_themselves(ours):
    band = (min(ours), float(np.median(ours)), max(ours))
    assert verdicts.in_band("", ours, band, len(ours)).verdict == verdicts.REPRODUCED
    assert verdicts.one_run("", ours, ours[0], 0, len(ours)).verdict == verdicts.REPRODUCED
    assert verdicts.same_distribution("", ours, ours).verdict == verdicts.REPRODUCED
    assert verdicts.ordered("", ours, ours, "", "").verdict == verdicts.UNTOLD


def test_the_more_tests_the_stricter_each():
    some = verdicts.in_band("", np.r_[np.full(5, 1.0), TEN[:5]], BAND, 20)
    assert some.verdict == verdicts.DIFFERS
    good = verdicts.in_band("", TEN, BAND, 20)
    assert [c.verdict for c in verdicts.together([some, good])] == [
        verdicts.DIFFERS,
        verdicts.REPRODUCED,
    ]
    many = verdicts.together([some, *[good] * 9])
    assert {c.verdict for c in many} == {verdicts.REPRODUCED}
    assert many[0].adjusted == pytest.approx(10 * some.p)
    order = verdicts.ordered("", TEN + 0.1, TEN, "", "")
    orders = verdicts.together([order] * 6)
    assert {c.verdict for c in orders} == {verdicts.UNTOLD}


def test_a_faithful_program_seldom_fails_any_of_many_tests():
    """Ten runs and twenty of one law, their curves held together at 24 places."""
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(300):
        # Places of a curve go together, as losses at neighbouring updates do.
        ours, theirs = (rng.normal(size=(n, 1)) + rng.normal(size=(n, 24)) for n in (10, 20))
        tests = [
            verdicts.in_band("", x, (y.min(), float(np.median(y)), y.max()), 20)
            for x, y in zip(ours.T, theirs.T)
        ]
        failed += verdicts.overall(verdicts.together(tests)) == verdicts.DIFFERS
    assert failed <= 6  # 3 expected at most


def test_what_stands_in_is_never_reproduced_but_must_work():
    judged = verdicts.as_stand_in([verdicts.within("", 1, 1, 0), verdicts.within("", 1, 2, 0)])
    assert {c.verdict for c in judged} == {verdicts.STAND_IN}
    assert verdicts.together(judged) == judged
    assert verdicts.stand_in("AUC", [0.95, 0.99], 0.9, "0.99").verdict == verdicts.STAND_IN
    assert verdicts.stand_in("AUC", [0.5, 0.99], 0.9, "0.99").verdict == verdicts.DIFFERS
    assert verdicts.stand_in("AUC", [np.nan, 0.99], 0.9, "0.99").verdict == verdicts.DIFFERS


def test_the_worst_comparison_decides_and_what_cannot_be_compared_does_not():
    good = verdicts.holds("", True, "", "", "")
    bad = verdicts.holds("", False, "", "", "")
    other = verdicts.stand_in("", [1], 0, "")
    unknown = verdicts.cannot("", "0.9", "no number was published")
    order = verdicts.ordered("", TEN, TEN - 1, "", "")
    no_order = verdicts.ordered("", TEN - 1, TEN, "", "")
    untold = verdicts.ordered("", TEN, TEN, "", "")
    assert verdicts.overall([good, unknown, other]) == verdicts.REPRODUCED
    assert verdicts.overall([order, other]) == verdicts.REPRODUCED
    assert verdicts.overall([good, untold]) == verdicts.UNTOLD
    assert verdicts.overall([good, unknown, bad, untold]) == verdicts.DIFFERS
    assert verdicts.overall([good, no_order]) == verdicts.DIFFERS
    assert verdicts.overall([other, unknown]) == verdicts.STAND_IN
    assert verdicts.overall([unknown]) == verdicts.CANNOT
