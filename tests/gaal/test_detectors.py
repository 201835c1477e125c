"""SOGAAL and MOGAAL keep scikit-learn's contract and their own."""

import copy
import json
import pickle
import warnings
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gaal import MOGAAL, SOGAAL, networks, training
from gaal.datasets import load_dataset

X = np.random.default_rng(0).random((80, 3)).astype(np.float32)
Y = (np.arange(80) < 8).astype(int)
DETECTORS = [SOGAAL(stop_epochs=2, random_state=0), MOGAAL(k=3, stop_epochs=2, random_state=0)]
both = pytest.mark.parametrize("detector", DETECTORS, ids=["SO", "MO"])


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([SOGAAL(stop_epochs=1)])
def test_scikit_learn_s_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([MOGAAL(k=2, stop_epochs=1)])
def test_scikit_learn_s_checks_pass_with_sub_generators(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def fitted():
    return clone(DETECTORS[0]).fit(X)


@both
def test_fit_learns_what_it_says(detector):
    detector = clone(detector).fit(X, Y)
    losses = training.loss_columns(3 if isinstance(detector, MOGAAL) else None)
    assert list(detector.history_) == [*losses, "auc"]
    assert len(detector.history_) == 6
    assert detector.history_.index.name == "update"
    assert np.isfinite(detector.history_).all(axis=None)
    assert detector.offset_ == 0.5
    assert isinstance(detector.discriminator_, keras.Model)
    assert isinstance(detector.combine_model_, keras.Model)
    expected = roc_auc_score(Y, 1 - detector.score_samples(X))
    assert detector.history_["auc"].iloc[-1] == pytest.approx(expected, abs=1e-6)


@both
def test_scores_are_d_of_x_and_higher_is_more_normal(detector):
    detector = clone(detector).fit(X)
    scores = detector.score_samples(X)
    np.testing.assert_allclose(scores, np.ravel(detector.discriminator_(X)), atol=1e-6)
    np.testing.assert_array_equal(detector.decision_function(X), scores - 0.5)
    np.testing.assert_array_equal(detector.predict(X), np.where(scores < 0.5, -1, 1))


def test_discriminator_takes_data_for_real_and_noise_for_fake():
    """The direction that ports turn round: data score above what lies outside of it."""
    rng = np.random.default_rng(0)
    data = rng.normal(0.5, 0.05, (500, 2))
    detector = SOGAAL(stop_epochs=600, epochs=600, random_state=0).fit(data)
    far = rng.random((500, 2))
    far = far[np.abs(far - 0.5).max(axis=1) > 0.3]
    assert roc_auc_score(
        [0] * 500 + [1] * len(far), 1 - detector.score_samples(np.vstack([data, far]))
    ) > 0.95  # fmt: skip


@both
def test_labels_change_nothing_but_the_auc(detector):
    with_labels, without = clone(detector).fit(X, Y), clone(detector).fit(X)
    pd.testing.assert_frame_equal(
        with_labels.history_.drop(columns="auc"), without.history_, rtol=1e-5
    )


@both
def test_published_spelling_of_labels_is_understood(detector):
    numbers = clone(detector).fit(X, Y).history_
    words = clone(detector).fit(X, np.array(["nor", "out"])[Y]).history_
    pd.testing.assert_frame_equal(numbers, words)


@both
def test_same_seed_same_numbers_and_another_seed_others(detector):
    first, again = (clone(detector).fit(X).score_samples(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = clone(detector).set_params(random_state=1).fit(X).score_samples(X)
    assert np.abs(first - other).max() > 1e-3


def test_a_generator_as_random_state_moves_on():
    state = np.random.RandomState(0)
    one, two = (SOGAAL(stop_epochs=1, random_state=state).fit(X).score_samples(X) for _ in "ab")
    assert np.abs(one - two).max() > 1e-3


@given(rows=st.integers(1, 80), block=st.integers(1, 100))
@settings(max_examples=20, deadline=None)
def test_score_order_does_not_depend_on_how_many_rows_come_at_once(fitted, rows, block):
    whole = fitted.score_samples(X)
    kept, networks.SCORE_BLOCK = networks.SCORE_BLOCK, block
    try:
        part = fitted.score_samples(X[:rows])
    finally:
        networks.SCORE_BLOCK = kept
    np.testing.assert_allclose(part, whole[:rows], rtol=1e-13)
    np.testing.assert_array_equal(np.argsort(part), np.argsort(whole[:rows]))


@both
def test_contamination_sets_the_share_called_outliers(detector):
    detector = clone(detector).set_params(contamination=0.1).fit(X)
    assert np.sum(detector.predict(X) == -1) == 8


def test_options_of_the_pytorch_port_reach_the_networks():
    detector = SOGAAL(
        stop_epochs=1,
        epochs=1,
        lr_d=1e-12,
        lr_g=1e-12,
        generator_bias=1.0,
        discriminator_init="glorot_uniform",
        discriminator_bias=0.05,
        batch_size=20,
        shuffle=True,
    ).fit(X)
    np.testing.assert_allclose(detector.generator_.get_weights()[1], 1.0)
    np.testing.assert_allclose(detector.discriminator_.get_weights()[1], 0.05)
    assert len(detector.history_) == 4


def test_sub_generators_are_reached_one_by_one():
    detector = clone(DETECTORS[1]).fit(X)
    singles = detector.sub_generators_
    assert len(singles) == 3
    z = np.random.default_rng(0).random((3, 5, 3), dtype=np.float32)
    for i, single in enumerate(singles):
        np.testing.assert_allclose(single(z[i]), detector.generator_(z)[i], rtol=1e-5)


@both
def test_saved_detector_scores_bit_for_bit_the_same(detector, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    detector = clone(detector).set_params(contamination=0.25).fit(frame, Y)
    detector.save(tmp_path / "detector.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras
        loaded = type(detector).load(tmp_path / "detector.zip")
    np.testing.assert_array_equal(loaded.score_samples(frame), detector.score_samples(frame))
    np.testing.assert_array_equal(loaded.predict(frame), detector.predict(frame))
    assert loaded.get_params() == detector.get_params()
    pd.testing.assert_frame_equal(loaded.history_, detector.history_)
    assert [p.name for p in tmp_path.iterdir()] == ["detector.zip"]
    with zipfile.ZipFile(tmp_path / "detector.zip") as archive:
        assert sorted(archive.namelist()) == [
            "detector.json", "discriminator.keras", "generator.keras", "history.csv"
        ]  # fmt: skip


def test_numpy_parameters_are_saved(tmp_path):
    detector = SOGAAL(stop_epochs=np.int64(1), lr_d=np.float32(0.01)).fit(X)
    detector.save(tmp_path / "detector.zip")
    assert SOGAAL.load(tmp_path / "detector.zip").stop_epochs == 1


def test_loading_what_is_no_detector_says_so(fitted, tmp_path):
    (tmp_path / "text").write_text("hello")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("detector.json", json.dumps({"class": "MOGAAL", "format": 1}))
    with pytest.raises(ValueError, match="text is not a detector saved by SOGAAL"):
        SOGAAL.load(tmp_path / "text")
    with pytest.raises(ValueError, match="holds a MOGAAL"):
        SOGAAL.load(tmp_path / "other.zip")
    with pytest.raises(FileNotFoundError):
        SOGAAL.load(tmp_path / "nowhere.zip")
    with pytest.raises(IsADirectoryError, match=r"a folder; .* file of a saved detector\.$"):
        SOGAAL.load(tmp_path / "..")
    fitted.save(tmp_path / "detector.zip")
    with pytest.raises(IsADirectoryError, match=r"a saved detector, such as .*/detector\.zip"):
        SOGAAL.load(tmp_path)
    content = bytearray((tmp_path / "detector.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.zip"):
        SOGAAL.load(tmp_path / "damaged.zip")
    with pytest.raises(FileNotFoundError, match="no folder"):
        fitted.save(tmp_path / "nowhere" / "detector.zip")
    with pytest.raises(IsADirectoryError, match="a folder"):
        fitted.save(tmp_path)


def test_a_failed_save_keeps_the_old_file(fitted, tmp_path, monkeypatch):
    path = tmp_path / "detector.zip"
    fitted.save(path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(keras.saving, "save_model", fail)
    with pytest.raises(OSError, match="disk full"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["detector.zip"]


@pytest.mark.parametrize("steps", [1, "auto"])
@both
def test_keras_callbacks_see_every_epoch(detector, steps, tmp_path):
    detector = clone(detector).set_params(steps_per_execution=steps)
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    detector.fit(X, Y, callbacks=[logger, board])
    log = pd.read_csv(tmp_path / "log.csv")
    assert list(log["epoch"]) == list(range(6))
    assert set(log) >= {"epoch", *detector.history_}
    np.testing.assert_allclose(log["auc"], detector.history_["auc"])  # one batch an epoch
    assert list((tmp_path / "board").rglob("events*"))


def test_early_stopping_ends_training_after_its_epoch():
    stop = keras.callbacks.EarlyStopping("auc", mode="max", patience=2, min_delta=1.0)
    detector = SOGAAL(stop_epochs=20, random_state=0).fit(X, Y, callbacks=[stop])
    assert len(detector.history_) == 3


def test_callbacks_see_the_mean_of_an_epoch_s_losses():
    logs = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs_=None, logs=logs):
            logs.append(logs_)

    detector = SOGAAL(stop_epochs=2, batch_size=20, random_state=0)
    detector.fit(X, callbacks=[Keep()])
    by_epoch = detector.history_.groupby(np.arange(24) // 4).mean()
    for i, epoch in enumerate(logs):
        assert epoch["generator_loss"] == pytest.approx(by_epoch["generator_loss"][i])


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match=r"callbacks holds .*print"):
        SOGAAL().fit(X, callbacks=[print])


def test_verbose_shows_progress_and_silence_is_the_default(capfd):
    clone(DETECTORS[0]).fit(X, Y)
    assert capfd.readouterr().out == ""
    clone(DETECTORS[0]).set_params(verbose=1).fit(X, Y)
    out = capfd.readouterr().out
    assert "6/6" in out
    assert "auc" in out


def test_unscaled_features_draw_a_warning_that_names_the_remedy():
    with pytest.warns(UserWarning, match=r"\[0, 1\).*MinMaxScaler"):
        clone(DETECTORS[0]).fit(10 * X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        make_pipeline(MinMaxScaler(), clone(DETECTORS[0])).fit(10 * X)
        clone(DETECTORS[0]).fit(1.0025 * X)  # as far as the published onecluster goes


@pytest.mark.parametrize(
    ("y", "error"),
    [(Y[:-1], "inconsistent numbers of samples"), (np.zeros((80, 2)), "1d array")],
)
def test_labels_of_another_shape_are_refused(y, error):
    with pytest.raises(ValueError, match=error):
        SOGAAL().fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(80), "one class only"),
        (np.where(Y, -1, -1), "one class only"),
        (np.arange(80), "the labels 0, 1, 2, 3, 4 and 75 more"),
        (np.array(["good", "bad"])[Y], 'y == "bad"'),
        (np.where(Y, 1, np.nan), "no label in"),
    ],
)
def test_labels_that_allow_no_auc_draw_a_warning_and_training_goes_on(y, message):
    with pytest.warns(UserWarning, match=f"{message}.* Training goes on without the AUC"):
        detector = clone(DETECTORS[0]).fit(X, y)
    assert "auc" not in detector.history_


def test_labels_that_scikit_learn_predicts_are_the_right_way_up_for_its_scorers():
    y = np.where(Y, -1, 1)
    detector, folds = DETECTORS[0], StratifiedKFold(2)
    scores = cross_val_score(detector, X, y, scoring="roc_auc", cv=folds)
    expected = []
    for train, test in folds.split(X, y):
        fitted = clone(detector).fit(X[train], Y[train])
        expected.append(roc_auc_score(Y[test], 1 - fitted.score_samples(X[test])))
    np.testing.assert_allclose(scores, expected)
    pd.testing.assert_frame_equal(
        clone(detector).fit(X, y).history_, clone(detector).fit(X, Y).history_
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (np.where(X > 0.9, np.nan, X), "NaN"),
        (np.where(X > 0.9, np.inf, X), "infinity"),
        (X[:1], "1 sample"),
        (X[:, :0], "0 feature"),
        (X[:, 0], "2D array"),
        (pd.DataFrame({"a": X[:, 0], "b": "text"}), "column 'b' holds 'text' in row 0"),
    ],
)
@both
def test_bad_data_are_refused_and_leave_nothing_behind(detector, data, error):
    detector = clone(detector)
    with pytest.raises(ValueError, match=error):
        detector.fit(data)
    with pytest.raises(NotFittedError):
        detector.score_samples(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop_epochs", 0), ("epochs", 0), ("lr_d", 0), ("lr_g", -1e-4), ("decay", -1e-6),
        ("momentum", 1.0), ("batch_size", 0), ("contamination", 0.6), ("contamination", "some"),
        ("steps_per_execution", 0), ("discriminator_init", "he_normal"), ("k", 0),
        ("whether_stop", 2), ("generator_bias", "one"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of MOGAAL"):
        MOGAAL().set_params(**{name: value}).fit(X)


def test_k_that_the_batch_cannot_feed_is_refused():
    with pytest.raises(ValueError, match=r"k=13 sub-generators share a batch of 80 rows"):
        MOGAAL(k=13).fit(X)


def test_many_fits_draw_no_retracing_warning(caplog):
    for seed in range(7):
        SOGAAL(stop_epochs=1, random_state=seed).fit(X, Y)
    assert "retracing" not in caplog.text


def test_diverging_losses_draw_a_warning():
    with pytest.warns(ConvergenceWarning, match="not finite from update"):
        SOGAAL(stop_epochs=20, lr_d=1e30, random_state=0).fit(X)


def test_an_interrupted_fit_leaves_the_detector_unfitted():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    detector = SOGAAL(stop_epochs=2)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, callbacks=[Interrupt()])
    with pytest.raises(NotFittedError):
        detector.predict(X)


@pytest.mark.parametrize("y", [Y[:-1], np.append(Y, True)])
def test_a_failed_refit_leaves_the_detector_as_it_was(y):
    detector = clone(DETECTORS[0]).fit(X)
    before = detector.score_samples(X)
    with pytest.raises(ValueError, match=r"y holds|inconsistent"):
        detector.fit(np.hstack([X, X]), y)
    np.testing.assert_array_equal(detector.score_samples(X), before)


@pytest.mark.parametrize("steps", [1, "auto"])
def test_networks_stay_in_float32_whatever_keras_defaults_to(steps):
    expected = clone(DETECTORS[1]).set_params(steps_per_execution=steps).fit(X, Y).history_
    keras.config.set_floatx("float64")
    try:
        detector = clone(DETECTORS[1]).set_params(steps_per_execution=steps).fit(X, Y)
    finally:
        keras.config.set_floatx("float32")
    assert detector.discriminator_.weights[0].dtype == "float32"
    pd.testing.assert_frame_equal(detector.history_, expected, rtol=1e-4, check_dtype=False)


def test_callbacks_may_be_one_or_an_iterator_or_none():
    for callbacks in (keras.callbacks.History(), iter([keras.callbacks.History()]), None):
        clone(DETECTORS[0]).fit(X, callbacks=callbacks)
    seen = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(epoch)

    clone(DETECTORS[0]).fit(X, callbacks=iter([Count()]))
    assert seen == list(range(6))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_search_finds_the_best_with_the_documented_scorer():
    data, labels = load_dataset("WDBC", return_X_y=True)
    search = GridSearchCV(
        SOGAAL(stop_epochs=5, random_state=0),
        {"lr_d": [0.01, 1e30]},  # the second diverges
        scoring=lambda detector, X, y: roc_auc_score(
            y, -np.nan_to_num(detector.score_samples(X), nan=0.5)
        ),
        cv=StratifiedKFold(2),
    ).fit(data, labels)
    assert search.best_params_ == {"lr_d": 0.01}
    assert search.best_score_ > 0.5


@pytest.mark.parametrize("n", [2, 3])
def test_the_fewest_rows_and_constant_columns_train(n):
    constant = np.full((n, 2), 0.5)
    assert np.isfinite(SOGAAL(stop_epochs=2).fit(constant).score_samples(constant)).all()


def test_weights_set_by_hand_are_what_scores(tmp_path):
    detector = clone(DETECTORS[0]).fit(X)
    detector.discriminator_.set_weights([0 * w for w in detector.discriminator_.get_weights()])
    np.testing.assert_array_equal(detector.score_samples(X), 0.5)


@pytest.mark.parametrize(
    "make", [lambda d: d, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_networks_of_the_detector_share_their_weights_also_in_a_copy(make):
    detector = make(clone(DETECTORS[0]).fit(X))
    detector.generator_.set_weights([0.5 * w for w in detector.generator_.get_weights()])
    z = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    through = detector.discriminator_(detector.generator_(z))
    np.testing.assert_allclose(detector.combine_model_(z), through, rtol=1e-6)
    assert isinstance(detector.combine_model_, networks.CombineModel)


@both
@pytest.mark.parametrize("kind", ["array", "float32", "frame", "Parquet", "data set"])
def test_scale_is_a_min_max_scaler_before_the_detector(detector, kind, tmp_path):
    wide = X * np.array([1, 1000, 1e6], np.float32) + np.array([0, -500, 1e5], np.float32)
    wide[:, 0] = 3  # a constant
    table = wide if kind == "float32" else wide.astype(float)
    before = table.copy()
    if kind in ("frame", "Parquet"):
        table = pd.DataFrame(table, columns=["a", "b", "c"])
    if kind == "Parquet":
        table.to_parquet(tmp_path / "wide.parquet")
        table = tmp_path / "wide.parquet"
    if kind == "data set":
        table = tf.data.Dataset.from_tensor_slices(table).batch(9)
    pipeline = make_pipeline(MinMaxScaler(), clone(detector).set_params(contamination=0.1))
    pipeline.fit(before.astype(float), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        scaled = clone(pipeline[-1]).set_params(scale="minmax").fit(table, Y)
    np.testing.assert_array_equal(wide, before)  # what was given is not changed
    pd.testing.assert_frame_equal(scaled.history_, pipeline[-1].history_)
    np.testing.assert_allclose(scaled.score_samples(table), pipeline.score_samples(before))
    np.testing.assert_array_equal(scaled.predict(table), pipeline.predict(before))
    scaled.save(tmp_path / "scaled.zip")
    loaded = type(detector).load(tmp_path / "scaled.zip")
    np.testing.assert_array_equal(loaded.score_samples(table), scaled.score_samples(table))
    again = pickle.loads(pickle.dumps(scaled))
    np.testing.assert_array_equal(again.score_samples(table), scaled.score_samples(table))


def test_rows_that_scaling_takes_beyond_numbers_are_told():
    detector = SOGAAL(stop_epochs=1, scale="minmax").fit(1e-10 * X.astype(float))
    with pytest.raises(ValueError, match=r"X holds infinity, .* in row 1, column 2"):
        detector.score_samples([[0, 0, 0], [0, 0, 1e305]])
