"""Runs of one shape share a traced program: the same numbers, nothing shared, nothing kept."""

import copy
import gc
import itertools
import pickle
import threading
from collections import OrderedDict
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from tensorflow.python.framework import func_graph
from tensorflow.python.framework import ops as registry

import gaal.detectors
import gaal.doors
import gaal.networks
import gaal.training
from alocc import ALOCC
from gaal import MOGAAL, SOGAAL
from gaal_alocc import programs

X = np.random.default_rng(0).random((60, 3), np.float32)
OTHER = np.random.default_rng(1).random((60, 3), np.float32)
Y = np.arange(60) % 5 == 0
IMAGES = np.random.default_rng(2).random((12, 16, 16), np.float32)
OTHER_IMAGES = np.random.default_rng(3).random((12, 16, 16), np.float32)
DOORS = {"train_on_batch": 1, "graph": "auto"}


def so(seed=0, **params):
    return SOGAAL(**{"stop_epochs": 3, "batch_size": 20, "random_state": seed, **params})


def mo(seed=0, **params):
    return MOGAAL(**{"k": 3, "stop_epochs": 3, "batch_size": 20, "random_state": seed, **params})


def alocc(seed=0, **params):
    sizes = {"epochs": 2, "batch_size": 4, "gf_dim": 1, "df_dim": 1}
    return ALOCC(**{**sizes, "random_state": seed, **params})


MADE = {"so": so, "mo": mo, "alocc": alocc}


def data_of(kind, other=False):
    if kind == "alocc":
        return OTHER_IMAGES if other else IMAGES
    return OTHER if other else X


def numbers(detector):
    """All that a fit leaves behind, as arrays."""
    models = [detector.generator_, detector.discriminator_]
    combined = getattr(detector, "combine_model_", None) or detector.adversarial_model_
    X = IMAGES if isinstance(detector, ALOCC) else OTHER
    optimizers = [] if combined.optimizer is None else [combined.optimizer]
    return [
        detector.history_.to_numpy(),
        *(w for model in models for w in model.get_weights()),
        *(v.numpy() for optimizer in optimizers for v in optimizer.variables),
        detector.score_samples(X),
    ]


def assert_equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a, b)


def an_empty_store():
    """Programs of one's own in a ``with``; those of the other tests are there again after it."""
    return mock.patch.object(programs, "_programs", OrderedDict())


@pytest.fixture
def empty_store():
    with an_empty_store():
        yield


@pytest.fixture
def traces(monkeypatch, empty_store):
    """Names of the functions traced since."""
    names = []
    init = programs.Program.__init__

    def counted(self, function, variables):
        names.append(function.python_function.__name__)
        init(self, function, variables)

    monkeypatch.setattr(programs.Program, "__init__", counted)
    return names


class Interrupts(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


class Stops(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def disturb(kind, steps):
    """Fit what shares the program of the default detector, in all the ways that may go wrong."""
    make, data = MADE[kind], data_of(kind, other=True)
    make(seed=9, steps_per_execution=steps).fit(data)
    with pytest.raises(KeyboardInterrupt):
        make(seed=8, steps_per_execution=steps).fit(data, callbacks=Interrupts())
    make(seed=7, steps_per_execution=steps).fit(data, callbacks=Stops())
    spoiled = make(seed=6, steps_per_execution=steps).fit(data)
    for model in (spoiled.generator_, spoiled.discriminator_):
        model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])


FAST_PAIRS = (("so", "train_on_batch"), ("mo", "graph"))
PAIRS = [
    pytest.param(*pair, marks=() if pair in FAST_PAIRS else pytest.mark.slow)
    for pair in itertools.product(MADE, DOORS)
    if pair != ("alocc", "train_on_batch")  # its steps are shared as GAAL's
]


@pytest.mark.parametrize(("kind", "door"), PAIRS)
def test_a_shared_program_gives_the_numbers_of_one_of_its_own(kind, door, empty_store):
    make, data = MADE[kind], data_of(kind)
    first = make(steps_per_execution=DOORS[door]).fit(data)
    expected = numbers(first)
    disturb(kind, DOORS[door])
    assert_equal(numbers(make(steps_per_execution=DOORS[door]).fit(data)), expected)
    assert_equal(numbers(first), expected)  # nor has the first detector been touched


@pytest.mark.slow
@pytest.mark.parametrize("make", [so, mo])
def test_a_shared_program_of_xla_gives_the_numbers_of_one_of_its_own(make, monkeypatch, traces):
    monkeypatch.setattr(gaal.doors, "XLA_UPDATES", 1)
    as_written = programs.Unaltered(gaal.networks, gaal.doors)  # but for that number
    monkeypatch.setattr(gaal.detectors, "_AS_WRITTEN", as_written)
    expected = numbers(make(stop_epochs=1).fit(X))
    assert traces
    traces.clear()
    make(seed=5, stop_epochs=1).fit(OTHER)
    assert_equal(numbers(make(stop_epochs=1).fit(X)), expected)
    assert traces == []


@pytest.mark.slow
@settings(max_examples=2, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(1e-4, 0.1), st.floats(0, 0.1))
def test_rates_and_seeds_are_no_part_of_a_program(seed, lr, decay):
    so().fit(X)  # traced here at the latest
    shared = numbers(so(seed, lr_d=lr, lr_g=lr / 3, decay=decay).fit(X))
    with an_empty_store():
        alone = numbers(so(seed, lr_d=lr, lr_g=lr / 3, decay=decay).fit(X))
    assert_equal(alone, shared)


@pytest.mark.parametrize(
    "kind", ["so", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("mo", "alocc"))]
)
def test_runs_of_one_shape_are_traced_once(kind, traces):
    make = MADE[kind]
    make().fit(data_of(kind))
    assert traces
    traces.clear()
    make(seed=3).fit(data_of(kind, other=True))
    if kind == "alocc":
        make(learning_rate=0.1, decay=0.5, epochs=1).fit(data_of(kind))
    else:
        make(lr_d=0.1, lr_g=0.2, decay=0.3, generator_bias=0.5, stop_epochs=1).fit(X)
    assert traces == []
    if kind != "alocc":
        make(momentum=0.5).fit(X)
        make(batch_size=30).fit(X)
        make().fit(X[:50])
        assert traces == ["run"] * 3


def test_the_first_door_shares_its_steps(traces):
    so(steps_per_execution=1).fit(X)
    assert len(traces) == 3  # D's step, G's, and G's loss where it is frozen
    so(seed=4, lr_d=0.5, steps_per_execution=1).fit(OTHER)
    assert len(traces) == 3


def test_settings_of_keras_make_another_program(traces):
    epsilon = keras.config.epsilon()
    narrow = so(lr_d=1.0, epochs=9).fit(X).history_
    try:
        keras.config.set_epsilon(0.3)
        wide = so(lr_d=1.0, epochs=9).fit(X).history_
    finally:
        keras.config.set_epsilon(epsilon)
    assert traces.count("run") == 2
    assert np.abs(wide - narrow).to_numpy().max() > 1e-3
    again = so(lr_d=1.0, epochs=9).fit(X).history_
    np.testing.assert_array_equal(again, narrow)


@pytest.mark.parametrize("kind", ["so", "mo", pytest.param("alocc", marks=pytest.mark.slow)])
def test_fitted_detectors_are_independent(kind):
    one = MADE[kind](seed=1).fit(data_of(kind))
    kept = numbers(one)
    other = MADE[kind](seed=2).fit(data_of(kind))
    other.discriminator_.set_weights([w + 1 for w in other.discriminator_.get_weights()])
    MADE[kind](seed=1).fit(data_of(kind, other=True))
    assert_equal(numbers(one), kept)
    held = one.discriminator_, one.discriminator_.get_weights()
    one.fit(data_of(kind, other=True))
    assert one.discriminator_ is not held[0]
    assert_equal(held[0].get_weights(), held[1])


@pytest.mark.parametrize("make", [so, mo])
def test_a_fitted_model_that_is_changed_scores_otherwise(make):
    detector = make().fit(X)
    before = detector.score_samples(X)
    D = detector.discriminator_
    D.set_weights([2 * w for w in D.get_weights()])
    np.testing.assert_allclose(detector.score_samples(X), D(X).numpy().ravel(), rtol=1e-5)
    assert np.abs(detector.score_samples(X) - before).max() > 1e-3


def test_a_debugger_makes_programs_of_its_own():
    def diverge():
        return so(lr_d=1e38, lr_g=1e38).fit(X)

    tf.debugging.enable_check_numerics()
    try:
        with pytest.raises(tf.errors.InvalidArgumentError):
            diverge()
    finally:
        tf.debugging.disable_check_numerics()
    with pytest.warns(ConvergenceWarning):
        diverge()


one_door_fast = pytest.mark.parametrize(
    "door", ["train_on_batch", pytest.param("graph", marks=pytest.mark.slow)]
)


@one_door_fast
def test_what_a_callback_does_to_the_models_stays_with_them(door, empty_store):
    class Unhurried(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.momentum = 0.0

    so(steps_per_execution=DOORS[door]).fit(X, callbacks=Unhurried())
    shared = numbers(so(steps_per_execution=DOORS[door]).fit(X))
    programs.clear()
    assert_equal(shared, numbers(so(steps_per_execution=DOORS[door]).fit(X)))


@one_door_fast
def test_a_callback_that_clears_the_session_changes_no_number(door):
    class Clear(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            keras.backend.clear_session()

    detector = so(stop_epochs=1, steps_per_execution=DOORS[door])
    expected = numbers(detector.fit(X))
    assert_equal(numbers(clone(detector).fit(X, callbacks=[Clear()])), expected)
    assert_equal(numbers(clone(detector).fit(X)), expected)


def test_models_that_are_looked_at_under_other_settings_of_keras_are_those_of_the_fit():
    expected, detector = numbers(so().fit(X)), so().fit(X)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert_equal(numbers(detector), expected)
    finally:
        keras.config.set_dtype_policy(policy)


def test_parameters_that_are_set_after_fit_do_not_change_its_models():
    detector = mo().fit(X)
    expected = numbers(mo().fit(X))
    detector.set_params(k=2, generator_bias=3.0, discriminator_bias=4.0)
    assert_equal(numbers(detector), expected)


@pytest.mark.parametrize(
    ("kinds", "door"),
    [(["so"], "graph"), *(pytest.param(list(MADE), d, marks=pytest.mark.slow) for d in DOORS)],
)
def test_threads_that_fit_at_the_same_time_give_the_serial_results(kinds, door):
    jobs = [(kind, seed) for kind in kinds for seed in (0, 1)]

    def fit(kind, seed):
        detector = MADE[kind](seed, steps_per_execution=DOORS[door])
        return numbers(detector.fit(data_of(kind)))

    serial = {job: fit(*job) for job in jobs}
    results = {}
    threads = [
        threading.Thread(target=lambda job=job: results.update({job: fit(*job)})) for job in jobs
    ]
    with an_empty_store():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for job in jobs:
        assert_equal(results[job], serial[job])


@pytest.mark.parametrize("make", [so, mo])
def test_copies_and_clones_of_a_detector_whose_models_nobody_looked_at(make):
    detector, expected = make().fit(X), make().fit(X).score_samples(OTHER)
    for copied in (copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(copied.score_samples(OTHER), expected)
    assert_equal(numbers(clone(detector).fit(X)), numbers(detector))


@pytest.mark.parametrize("kind", ["so", pytest.param("alocc", marks=pytest.mark.slow)])
def test_copies_and_saved_detectors_score_by_the_program_of_the_fitted_one(kind, traces, tmp_path):
    detector = MADE[kind]().fit(data_of(kind))
    expected = detector.score_samples(data_of(kind))
    detector.save(tmp_path / "saved")
    traces.clear()
    for same in (copy.deepcopy(detector), type(detector).load(tmp_path / "saved")):
        np.testing.assert_array_equal(same.score_samples(data_of(kind)), expected)
    assert traces == []


def test_early_stopping_puts_the_best_weights_back_in_a_second_fit_too():
    seen = []
    for _ in range(2):
        stop = keras.callbacks.EarlyStopping(
            "auc", mode="min", patience=2, restore_best_weights=True
        )
        detector = so(stop_epochs=9).fit(X, Y, callbacks=stop)
        assert stop.model is detector.combine_model_
        seen.append(numbers(detector))
    assert_equal(*seen)


def live_graphs():
    gc.collect()
    return sum(issubclass(type(thing), func_graph.FuncGraph) for thing in gc.get_objects())


def registered_gradients():
    return len(registry.gradient_registry.list())


@pytest.mark.parametrize(("kind", "door"), PAIRS)
def test_nothing_of_a_fit_is_kept(kind, door):
    def fit(seed):
        detector = MADE[kind](seed, steps_per_execution=DOORS[door]).fit(data_of(kind))
        detector.score_samples(data_of(kind))

    fit(0)
    before = live_graphs(), registered_gradients()
    for seed in range(1, 5):
        fit(seed)
    assert (live_graphs(), registered_gradients()) == before
    with an_empty_store():
        fit(0)
    # Those of a graph of its own are not kept either.
    assert (live_graphs(), registered_gradients()) == before


@pytest.mark.slow
def test_a_search_keeps_nothing():
    def score(detector, X, y):
        return roc_auc_score(y, -detector.score_samples(X))

    def search():
        GridSearchCV(so(), {"lr_d": [0.1, 0.01], "decay": [0, 0.1]}, scoring=score, cv=2).fit(X, Y)

    search()
    before = live_graphs(), registered_gradients()
    search()
    assert (live_graphs(), registered_gradients()) == before


def test_no_more_programs_are_kept_than_a_handful(traces, monkeypatch):
    monkeypatch.setattr(programs, "KEPT", 2)

    def use(name):
        def same(x):
            return x

        same.__name__ = name
        graph = tf.function(same, input_signature=[tf.TensorSpec(())])
        programs.shared(name, lambda: programs.Program(graph, []))

    for name in "abc":
        use(name)
    use("b")  # that used last but one
    assert traces == ["a", "b", "c"]
    use("a")  # that has gone
    assert traces == ["a", "b", "c", "a"]
    programs.clear()
    use("a")
    assert traces == ["a", "b", "c", "a", "a"]


def test_what_reads_other_variables_is_not_shared():
    outside, own = tf.Variable(2.0), tf.Variable(3.0)

    def make():
        @tf.function(input_signature=[tf.TensorSpec(())])
        def product(x):
            return outside * own * x

        return programs.Program(product, [own])

    assert programs.shared("product", make)([own], 5.0) == 30.0
    assert programs.shared("product", make)([tf.Variable(7.0)], 5.0) == 30.0  # on its own ones
    assert programs.shared("product", make) is not programs.shared("product", make)


def test_a_subclass_that_builds_other_networks_has_a_program_of_its_own(traces):
    class Wider(SOGAAL):
        def _build_discriminator(self, n_features, n_samples, seed):
            return super()._build_discriminator(n_features, 4 * n_samples, seed)

    so().fit(X)
    wider = Wider(stop_epochs=3, batch_size=20, random_state=0).fit(X)
    assert traces.count("run") == 2
    assert wider.discriminator_.layers[1].units == 16
    assert so().fit(X).discriminator_.layers[1].units == 8


def test_a_subclass_builds_by_what_it_has_been_told():
    class Told(SOGAAL):
        def _build_discriminator(self, n_features, n_samples, seed):
            return super()._build_discriminator(n_features, self.rows, seed)

    detector = Told(stop_epochs=1, batch_size=20)
    detector.rows = 49
    assert detector.fit(X).discriminator_.layers[1].units == 7


CELL = """
def steep(x):
    return keras.ops.sigmoid({factor} * x)

@keras.saving.register_keras_serializable(package="cell")
class Slope(keras.layers.Layer):
    def call(self, x):
        return keras.ops.sigmoid({factor} * x)

class Limit(keras.constraints.Constraint):
    def __call__(self, w):
        return keras.ops.clip(w, -{factor} / 100, {factor} / 100)

class Weak(keras.regularizers.Regularizer):
    def __call__(self, w):
        return {factor} * keras.ops.sum(w * w)

class Cell(SOGAAL):
    def _build_discriminator(self, n_features, n_samples, seed):
        D = super()._build_discriminator(n_features, n_samples, seed)
        {change}
        return D
"""
CHANGES = {
    "a function": "D.layers[-1].activation = steep",
    "a layer": "D = keras.Model(D.input, Slope(name='slope')(D.layers[-1].output))",
    "a constraint": "D.layers[1].kernel.constraint = Limit()",
    "a regularizer": "D.layers[1].kernel.regularizer = Weak()",
    "a method": "it = D.layers[-1]; it.call = lambda x, **_: steep(x @ it.kernel + it.bias)",
    "Keras's": "D.layers[-1].activation = keras.ops.sigmoid if {factor} < 5 else keras.ops.tanh",
}
FAST_CHANGES = [("a function", "graph")]
# Networks are looked at in one place for both doors: one change goes by both.
CHANGES_AND_DOORS = [
    ("a function", "train_on_batch"),
    *zip(CHANGES, itertools.cycle(["graph", "train_on_batch"])),
]


def run_cell(change, factor):
    """The class that a notebook's cell makes, of the same names each time that it is run."""
    names = {"keras": keras, "SOGAAL": SOGAAL, "__name__": "__main__"}
    exec(CELL.format(factor=factor, change=CHANGES[change].format(factor=factor)), names)
    return names["Cell"](stop_epochs=3, batch_size=20, lr_d=0.5, random_state=0)


@pytest.mark.parametrize(
    ("change", "door"),
    [
        pytest.param(*pair, marks=() if pair in FAST_CHANGES else pytest.mark.slow)
        for pair in CHANGES_AND_DOORS
    ],
)
def test_a_cell_that_is_edited_and_run_again_trains_and_scores_by_what_it_says_now(
    change, door, empty_store
):
    steps = DOORS[door]
    fits = [run_cell(change, f).set_params(steps_per_execution=steps).fit(X) for f in (1, 5)]
    programs.clear()
    alone = run_cell(change, 5).set_params(steps_per_execution=steps).fit(X)
    assert_equal(numbers(fits[1]), numbers(alone))
    assert np.abs(fits[0].score_samples(X) - alone.score_samples(X)).max() > 1e-3
    for detector in fits:
        expected = detector.discriminator_(X, training=False).numpy().ravel()
        np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_function_that_goes_by_a_number_outside_of_it_is_traced_anew(empty_store):
    factor = 1.0

    class Steep(SOGAAL):
        def _build_discriminator(self, *arguments):
            D = super()._build_discriminator(*arguments)
            D.layers[-1].activation = steep
            return D

    def steep(x):
        return keras.ops.sigmoid(factor * x)

    Steep(stop_epochs=3, batch_size=20, random_state=0).fit(X).score_samples(X)
    factor = 5.0
    detector = Steep(stop_epochs=3, batch_size=20, random_state=0).fit(X)
    programs.clear()
    assert_equal(
        numbers(detector), numbers(Steep(stop_epochs=3, batch_size=20, random_state=0).fit(X))
    )


@pytest.mark.slow
def test_a_subclass_of_alocc_that_alters_its_networks_trains_by_what_it_says_now(empty_store):
    class Steep(ALOCC):
        def _build(self, *arguments):
            built = super()._build(*arguments)
            built[0].discriminator.layers[-1].activation = lambda x: keras.ops.sigmoid(factor * x)
            return built

    def fit():
        sizes = {"batch_size": 4, "gf_dim": 1, "df_dim": 1}
        return Steep(1, **sizes, steps_per_execution=1, random_state=0).fit(IMAGES)

    factor = 1.0
    first = fit().score_samples(IMAGES)
    factor = 5.0
    detector = fit()
    programs.clear()
    assert_equal(numbers(detector), numbers(fit()))
    assert np.abs(detector.score_samples(IMAGES) - first).max() > 1e-6


def test_networks_with_dropout_train_and_score():
    class Drops(SOGAAL):
        def _build_discriminator(self, *arguments):
            D = super()._build_discriminator(*arguments)
            h = keras.layers.Dropout(0.5, seed=0)(D.layers[1].output)
            return keras.Model(D.input, D.layers[-1](h), name="discriminator")

    detector = Drops(stop_epochs=3, batch_size=20, random_state=0).fit(X)
    W, b, V, c = (w.astype(np.float64) for w in detector.discriminator_.get_weights())
    expected = 1 / (1 + np.exp(-(np.maximum(X @ W + b, 0) @ V + c).ravel()))
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-12)


ALTERATIONS = {
    "its activation": lambda layer: setattr(layer, "activation", keras.activations.tanh),
    "a function of one's own": lambda layer: setattr(layer, "activation", lambda x: x / 3),
    "its method": lambda layer: setattr(layer, "call", lambda x, training=None: x[:, :1]),
    "LoRA": lambda layer: (layer.enable_lora(2), layer.lora_kernel_b.assign_add([[1.0]] * 2)),
    "int8": lambda layer: layer.quantize("int8"),
}


@pytest.mark.parametrize(
    ("kind", "alteration"),
    [
        *itertools.product(["so"], ALTERATIONS),
        pytest.param("alocc", "its activation", marks=pytest.mark.slow),
        pytest.param("alocc", "LoRA", marks=pytest.mark.slow),
    ],
)
def test_a_network_that_is_altered_between_two_scorings_scores_as_it_is(kind, alteration):
    data, score = data_of(kind), ["d_x"] if kind == "alocc" else []
    detector, other = MADE[kind]().fit(data), MADE[kind](seed=3).fit(data)
    before = detector.score_samples(data, *score)
    ALTERATIONS[alteration](detector.discriminator_.layers[-1])
    for one in (detector, other):
        x = data if kind == "so" else data[..., None]
        expected = one.discriminator_(x, training=False).numpy().ravel()
        scores = one.score_samples(data, *score)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    if alteration != "int8":
        assert np.abs(detector.score_samples(data, *score) - before).max() > 1e-3


def test_a_function_in_the_place_of_the_package_s_is_seen_as_long_as_it_is_there(monkeypatch):
    first = numbers(so().fit(X))
    with monkeypatch.context() as patched:
        loss = gaal.networks.clipped_binary_crossentropy
        patched.setattr(gaal.networks, "clipped_binary_crossentropy", lambda *y: 2 * loss(*y))
        doubled = so().fit(X).history_.to_numpy()
    with monkeypatch.context() as patched:
        patched.setattr(gaal.training.Algorithm, "active_updates", lambda *_: 0)
        idle = so(lr_g=0.5).fit(X)
        np.testing.assert_array_equal(idle.generator_.get_weights()[0], np.eye(3))
    detector = so()
    detector._build_discriminator = lambda d, n, seed: type(detector)._build_discriminator(
        detector, d, 4 * n, seed
    )
    assert detector.fit(X).discriminator_.layers[1].units == 16
    assert doubled[0, 0] == pytest.approx(2 * first[0][0, 0])
    assert_equal(numbers(so().fit(X)), first)


def test_a_function_whose_code_an_editor_replaces_in_place_is_traced_anew():
    first = numbers(so().fit(X))
    loss = gaal.networks.clipped_binary_crossentropy
    code = loss.__code__
    try:
        loss.__code__ = (lambda y_true, y_pred: keras.ops.mean(y_pred, axis=-1)).__code__
        assert so().fit(X).history_.discriminator_loss[0] != first[0][0, 0]
    finally:
        loss.__code__ = code
    assert_equal(numbers(so().fit(X)), first)


WHOLE = {
    "so": {"momentum": 0, "decay": 0, "lr_d": 1, "lr_g": 1, "generator_bias": 0},
    "mo": {"momentum": 0, "decay": 0, "lr_d": 1, "k": np.int64(3), "discriminator_bias": 1},
    "alocc": {"r_alpha": 1, "noise_sigma": 0, "clipvalue": 1, "decay": 0, "gf_dim": np.int64(1)},
}


@pytest.mark.parametrize(
    ("kind", "door"),
    [*FAST_PAIRS, pytest.param("alocc", "train_on_batch", marks=pytest.mark.slow)],
)
def test_whole_numbers_do_as_parameters_and_give_the_numbers_of_floats(kind, door, empty_store):
    door = {"steps_per_execution": DOORS[door]}
    whole = numbers(MADE[kind](**WHOLE[kind], **door).fit(data_of(kind)))
    kept = {"k", "gf_dim"}
    params = {n: int(v) if n in kept else np.float64(v) for n, v in WHOLE[kind].items()}
    assert_equal(numbers(MADE[kind](**params, **door).fit(data_of(kind))), whole)
    programs.clear()
    assert_equal(numbers(MADE[kind](**params, **door).fit(data_of(kind))), whole)
