"""Keras's callbacks one by one, by both doors: each does what the table of the docs says."""

import csv
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import callbacks as kc
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from alocc import ALOCC
from gaal import MOGAAL, SOGAAL
from gaal_alocc.callbacks import REFUSED, as_list

PAGE = Path(__file__).parents[2] / "docs" / "callbacks.md"
X = np.random.default_rng(0).random((60, 3), np.float32)
Y = np.arange(60) < 6
IMAGES = np.random.default_rng(2).random((12, 16, 16), np.float32)
DETECTORS = {
    "so": SOGAAL(stop_epochs=1, batch_size=20, decay=0.1, random_state=0),
    "mo": MOGAAL(3, stop_epochs=1, batch_size=20, decay=0.1, random_state=0),
    "alocc": ALOCC(3, batch_size=4, gf_dim=1, df_dim=1, decay=0.1, random_state=0),
}
LOSS = {"so": "discriminator_loss", "mo": "sub_generator1_loss", "alocc": "g_loss"}
FAST = [("so", "auto")]
ALIKE = [("mo", 1), ("alocc", "auto")]  # where it is the loop that does it, once for all


def pairs(but=()):
    return pytest.mark.parametrize(
        ("kind", "door"),
        [
            pytest.param(kind, door, marks=() if (kind, door) in FAST else pytest.mark.slow)
            for kind in DETECTORS
            for door in (1, "auto")
            if (kind, door) not in but
        ],
    )


every, of_the_loop = pairs(), pairs(but=ALIKE)


def fit(kind, door, *callbacks, **params):
    detector = clone(DETECTORS[kind]).set_params(steps_per_execution=door, **params)
    data = (IMAGES, None) if kind == "alocc" else (X, Y)
    return detector.fit(*data, callbacks=list(callbacks))


def combined(detector):
    return getattr(detector, "combine_model_", None) or detector.adversarial_model_


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))


def parts(kind, model):
    """The generator and D of a callback's model."""
    if kind == "alocc":
        return model.generator, model.discriminator
    return model.layers[1], model.get_layer("discriminator")


def test_the_page_has_every_callback_of_keras_and_says_which_are_refused():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", PAGE.read_text(), flags=re.M))
    classes = {name for name, kind in vars(kc).items() if isinstance(kind, type)}
    assert set(rows) >= classes - {"Callback", "CallbackList"}
    assert {name for name, row in rows.items() if row.startswith("refused")} == set(REFUSED)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("BackupAndRestore", "checkpoint_dir= and resume=True"),
        ("OrbaxCheckpoint", "ModelCheckpoint"),
        ("ProgbarLogger", "verbose=1"),
        ("SwapEMAWeights", "Leave it out"),
    ],
)
@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
def test_what_cannot_work_is_refused_by_name_with_the_remedy(detector, name, remedy):
    kind = getattr(kc, name, None)
    if kind is None:
        pytest.skip(f"this Keras has no {name}")
    callback = kind.__new__(type("Own", (kind,), {}))
    data = IMAGES if isinstance(detector, ALOCC) else X
    with pytest.raises(ValueError, match=f"callbacks holds a {name}, .*{remedy}"):
        clone(detector).fit(data, callbacks=[callback])


def test_callbacks_may_be_one_or_none():
    history = kc.History()
    assert as_list(history) == as_list(iter([history])) == [history]
    assert as_list(None) == []


@pytest.fixture
def monitor():
    """A server that RemoteMonitor posts to, and what it was sent."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


@of_the_loop
def test_those_that_look_on_see_every_epoch_and_change_no_number(kind, door, tmp_path, monitor):
    pytest.importorskip("tensorboard")
    pytest.importorskip("requests")
    history, called = kc.History(), []
    detector = fit(
        kind,
        door,
        history,
        kc.CSVLogger(tmp_path / "log.csv"),
        kc.LambdaCallback(
            on_train_begin=lambda logs: called.append("begin"),
            on_epoch_end=lambda epoch, logs: called.append(epoch),
            on_train_batch_end=lambda batch, logs: called.append(("batch", logs["loss"])),
            on_train_end=lambda logs: called.append("end"),
        ),
        kc.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        kc.ModelCheckpoint(tmp_path / "last.weights.h5", save_weights_only=True),
        kc.ModelCheckpoint(
            tmp_path / "best.weights.h5", LOSS[kind], save_best_only=True, save_weights_only=True,
            mode="max",
        ),
        kc.RemoteMonitor(monitor[0], send_as_json=True),
        kc.EarlyStopping(LOSS[kind], patience=100, mode="min"),
        kc.TensorBoard(tmp_path / "events", histogram_freq=1),
        kc.TerminateOnNaN(),
    )  # fmt: skip
    losses = detector.history_.drop(columns="epoch", errors="ignore")
    m = len(losses) // 3
    means = losses.groupby(np.arange(3 * m) // m).mean()
    assert set(history.history) == set(losses.columns)
    for name, column in means.items():
        np.testing.assert_allclose(history.history[name], column, rtol=1e-6)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row[LOSS[kind]]) for row in rows] == history.history[LOSS[kind]]
    assert [sent["epoch"] for sent in monitor[1]] == [0, 1, 2]
    assert [sent[LOSS[kind]] for sent in monitor[1]] == history.history[LOSS[kind]]
    assert [event for event in called if not isinstance(event, tuple)] == ["begin", 0, 1, 2, "end"]
    own = losses["g_loss" if kind == "alocc" else "generator_loss"].to_numpy()
    seen = [event[1] for event in called if isinstance(event, tuple)]
    np.testing.assert_allclose(seen, own if door == 1 else own[m - 1 :: m])
    assert list((tmp_path / "events" / "train").iterdir())

    # What was saved, loaded elsewhere, is what was trained.
    def weights_of(file):
        model = combined(fit(kind, door, random_state=1, **alocc_epochs(kind, 1)))
        model.load_weights(tmp_path / file)
        return model

    last = keras.saving.load_model(tmp_path / "3.keras")
    assert same_weights(last, weights_of("last.weights.h5"))
    best = 1 + int(np.argmax(history.history[LOSS[kind]]))
    saved = keras.saving.load_model(tmp_path / f"{best}.keras")
    assert same_weights(saved, weights_of("best.weights.h5"))
    if kind != "alocc":
        assert same_weights(last, combined(detector))
    alone = fit(kind, door)
    np.testing.assert_allclose(alone.history_, detector.history_, rtol=1e-4, atol=1e-6)


def alocc_epochs(kind, epochs):
    return {"epochs": epochs} if kind == "alocc" else {}


@of_the_loop
def test_a_loss_that_is_no_number_ends_the_training_with_its_epoch(kind, door, capsys):
    wild = {"learning_rate": 1e30} if kind == "alocc" else {"lr_d": 1e30}
    with pytest.warns(ConvergenceWarning):
        detector = fit(kind, door, kc.TerminateOnNaN(), **wild)
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    finite = np.isfinite(detector.history_.to_numpy()).all(axis=1)
    m = 3
    first = int(np.argmin(finite)) // m
    assert len(detector.history_) == (first + 1) * m < 3 * m
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        fit(kind, door, kc.TerminateOnNaN(raise_error=True), **wild)


@every
def test_a_rate_that_is_set_is_that_of_the_next_update_and_decays_on(kind, door):
    rates = []

    class Rates(kc.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    begins = {"so": 1e-4, "mo": 1e-4, "alocc": 0.002}[kind]
    steps = 12 if kind == "alocc" else 3  # of the callbacks' model and what shares its optimizer
    schedule = kc.LearningRateScheduler(lambda epoch, lr: begins if epoch == 1 else lr)
    one = fit(kind, door, schedule, Rates(), whether_stop=False) if kind != "alocc" else fit(
        kind, door, schedule, Rates()
    )  # fmt: skip
    expected = [begins, begins, begins * (1 + 0.1 * steps) / (1 + 0.1 * 2 * steps)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    # Set to what it is, it changes nothing; set to nothing, nothing moves.
    keep = kc.LearningRateScheduler(lambda epoch, lr: lr)
    params = {} if kind == "alocc" else {"whether_stop": False}
    two, alone = fit(kind, door, keep, **params), fit(kind, door, kc.History(), **params)
    np.testing.assert_allclose(two.history_, alone.history_, rtol=1e-4, atol=1e-6)
    assert np.abs(one.history_ - alone.history_).to_numpy().max() > 0
    assert one.history_.iloc[:3].equals(alone.history_.iloc[:3])


@of_the_loop
def test_a_rate_of_nothing_leaves_weights_where_they_were(kind, door):
    class Watch(kc.Callback):
        def on_train_begin(self, logs=None):
            self.before = [part.get_weights() for part in parts(kind, self.model)]

        def on_train_end(self, logs=None):
            after = [part.get_weights() for part in parts(kind, self.model)]
            names = [[w.name for w in part.weights] for part in parts(kind, self.model)]
            self.moved = [
                any(
                    not np.array_equal(x, y)
                    for x, y, name in zip(b, a, n)
                    if "moving" not in name and name != "updates"
                )
                for b, a, n in zip(self.before, after, names)
            ]

    watch = Watch()
    fit(kind, door, kc.LearningRateScheduler(lambda epoch, lr: 0.0), watch)
    # R and D of ALOCC share an optimizer; GAAL's D has its own.
    assert watch.moved == [False, kind != "alocc"]


@of_the_loop
def test_a_plateau_reduces_the_rate(kind, door):
    history = kc.History()
    plateau = kc.ReduceLROnPlateau(LOSS[kind], 0.5, patience=1, min_delta=9.0, mode="min")
    fit(kind, door, plateau, history, decay=0.0)
    rates = np.array(history.history["learning_rate"])  # before it is reduced
    np.testing.assert_allclose(rates / rates[0], [1, 1, 0.5], rtol=1e-6)


@of_the_loop
def test_training_ends_where_a_loss_has_stopped_improving(kind, door):
    stop = kc.EarlyStopping(LOSS[kind], 9.0, patience=1, mode="min", restore_best_weights=True)
    detector = fit(kind, door, stop)
    assert len(detector.history_) == 2 * 3
    if kind == "alocc":
        assert detector.epoch_ in (0, 1)
    else:  # the first epoch's
        assert same_weights(combined(detector), combined(fit(kind, door, kc.History(), epochs=1)))


@every
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@pytest.mark.parametrize("part", [0, 1], ids=["generator", "discriminator"])
def test_what_is_frozen_before_the_first_update_stays_as_it_is(kind, door, part):
    class Freeze(kc.Callback):
        def on_train_begin(self, logs=None):
            frozen = parts(kind, self.model)[part]
            self.weights = list(frozen.trainable_weights)
            self.before = [weight.numpy() for weight in self.weights]
            frozen.trainable = False

    if (kind, door) == ("so", "auto"):
        fit(kind, door)  # a program that is shared has been traced
    freeze = Freeze()
    fit(kind, door, freeze)
    assert len(freeze.weights) > 3
    for weight, before in zip(freeze.weights, freeze.before):
        np.testing.assert_array_equal(weight, before)


@pytest.mark.parametrize("door", [pytest.param(1, marks=pytest.mark.slow), "auto"])
def test_a_momentum_set_before_the_first_update_counts(door):
    class Momentum(kc.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for model in (self.model, self.model.get_layer("discriminator")):
                model.optimizer.momentum = 0.1

    fit("so", door)
    one, other = fit("so", door, Momentum()), fit("so", door, kc.History(), momentum=0.1)
    np.testing.assert_allclose(one.history_, other.history_, rtol=1e-5)


def test_callbacks_are_told_whom_they_serve_and_on_what_it_is_trained():
    class Served(kc.Callback):
        def set_estimator(self, estimator, X):
            self.estimator, self.X = estimator, X

    served = Served()
    detector = clone(DETECTORS["so"]).set_params(scale="minmax").fit(10 * X - 3, callbacks=served)
    assert served.estimator is detector
    expected = detector.scaler_.transform((10 * X - 3).astype(float)).astype(np.float32)
    assert sorted(map(tuple, served.X)) == sorted(map(tuple, expected))
