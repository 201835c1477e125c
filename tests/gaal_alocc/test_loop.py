"""The loop over epochs: how much a call runs, by the time it takes, and that no number shows it."""

import keras
import numpy as np
import pandas as pd
import pytest

import gaal.doors
from alocc import ALOCC
from gaal import MOGAAL, SOGAAL
from gaal_alocc import loop
from gaal_alocc.loop import Loop

X = np.random.default_rng(0).random((80, 3), dtype=np.float32)
Y = np.arange(80) < 8
IMAGES = np.random.default_rng(0).random((12, 16, 16), dtype=np.float32)
GAALS = {
    "so": SOGAAL(stop_epochs=2, batch_size=20, shuffle=True, random_state=0),
    "mo": MOGAAL(k=3, stop_epochs=2, batch_size=20, random_state=0),
}


class Clock:
    """Time that passes only where an update is made."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds = 0.0, seconds
        monkeypatch.setattr(loop.time, "perf_counter", lambda: self.now)

    def run(self, *shape, before_first=0.0, **options):
        """Train; the number of updates of every call, in order."""
        trained, calls = Loop(*shape, ["loss"], "loss", **options), []
        for n in trained.epochs():
            for part in trained.calls():
                count = n * (part.stop - part.start)
                self.now += count * self.seconds + (0 if calls else before_first)
                calls.append(count)
                trained.record(np.zeros((count, 1)))
        assert len(trained.history()) == sum(calls) == shape[0] * shape[1]
        return calls


@pytest.mark.parametrize("seconds", [1e-4, 3e-3, 0.137, 7.0])
def test_a_call_takes_half_a_second_by_what_the_one_before_took(monkeypatch, seconds):
    made = Clock(monkeypatch, seconds).run(60, 400, together=12)
    assert made[0] == 1
    assert max(made) * seconds <= max(loop.CALL_SECONDS, seconds)
    assert max(made) == {1e-4: 4800, 3e-3: 166, 0.137: 3, 7.0: 1}[seconds]
    assert all(count < 400 or count % 400 == 0 for count in made)


def test_a_first_call_that_compiles_does_not_keep_those_after_it_short(monkeypatch):
    made = Clock(monkeypatch, 1e-3).run(40, 10, together=40, before_first=3.0)
    assert made == [1, 1, 8, 390]


def test_a_run_of_a_kind_begins_at_the_pace_of_the_one_before(monkeypatch):
    clock = Clock(monkeypatch, 1e-3)
    kind = ("a kind", object())
    assert clock.run(60, 1, together=60, kind=kind) == [1, 59]
    assert clock.run(60, 1, together=60, kind=kind) == [60]
    assert clock.run(60, 1, together=60) == [1, 59]
    clock.seconds = 10.0
    assert clock.run(60, 1, together=60, kind=("another", kind)) == [1] * 60


def test_callbacks_see_batches_that_no_time_moves(monkeypatch):
    class Spy(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(batch)

    for seconds in (1e-5, 0.2, 2.0):
        spy = Spy()
        Clock(monkeypatch, seconds).run(2, 10, batches=4, model=keras.Model(), callbacks=[spy])
        assert spy.ends == [3, 7, 9] * 2


def test_what_is_shown_moves_at_every_call(monkeypatch):
    shown = []
    clock = Clock(monkeypatch, 0.2)
    clock.run(2, 5, show=lambda done, logs, last: shown.append((done, last, clock.now)))
    assert [done for done, *_ in shown] == [0, 1, 3, 5, 5, 7, 9, 10]
    assert [last for _, last, _ in shown] == [False] * 7 + [True]
    assert max(np.diff([now for *_, now in shown])) <= loop.CALL_SECONDS


def same(one, other):
    pd.testing.assert_frame_equal(one.history_, other.history_, check_exact=True)
    for name in ("generator_", "discriminator_"):
        pairs = zip(*(getattr(detector, name).get_weights() for detector in (one, other)))
        assert all(np.array_equal(*pair) for pair in pairs)


def fit(detector, *data, seconds, monkeypatch):
    monkeypatch.setattr(loop, "CALL_SECONDS", seconds)
    return type(detector)(**detector.get_params()).fit(*data)


@pytest.mark.parametrize(
    ("kind", "xla"),
    [
        ("so", False),
        ("mo", False),
        *(pytest.param(kind, True, marks=pytest.mark.slow) for kind in ("so", "mo")),
    ],
)
def test_no_number_depends_on_the_length_of_calls(kind, xla, monkeypatch):
    if xla:
        monkeypatch.setattr(gaal.doors, "XLA_UPDATES", 1)
    runs = [
        fit(GAALS[kind], X, Y, seconds=seconds, monkeypatch=monkeypatch) for seconds in (0, 1e9)
    ]
    same(*runs)


@pytest.mark.slow
def test_no_number_of_alocc_depends_on_the_length_of_calls(monkeypatch):
    detector = ALOCC(epochs=2, batch_size=4, gf_dim=1, df_dim=1, random_state=0)
    same(*(fit(detector, IMAGES, seconds=s, monkeypatch=monkeypatch) for s in (0, 1e9)))
