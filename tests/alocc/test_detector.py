"""ALOCC, the scikit-learn outlier detector."""

import copy
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import InvalidParameterError

import alocc
from alocc import ALOCC, detector, epochs, inputs, scoring, training

PARAMS = {"batch_size": 16, "gf_dim": 2, "df_dim": 2, "steps_per_execution": 1, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    """Bright discs of several sizes."""
    rng = np.random.default_rng(0)
    distance = np.hypot(*(np.mgrid[:18, :16] - np.array([9, 8])[:, None, None]))
    images = distance < rng.uniform(3, 7, (40, 1, 1))
    return (0.8 * images + 0.1 * rng.random(images.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(X):
    return ALOCC(epochs=3, **PARAMS).fit(X)


def test_the_package_waits_with_tensorflow_until_the_detector_is_asked_for():
    code = "import sys, alocc; assert 'tensorflow' not in sys.modules; assert 'ALOCC' in dir(alocc)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="SOGAAL"):
        _ = alocc.SOGAAL


def test_is_a_scikit_learn_outlier_detector():
    model = ALOCC(epochs=2, r_alpha=0.4)
    assert is_outlier_detector(model)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(score="d_x").score == "d_x"
    assert "r_alpha=0.4" in repr(model)


@pytest.mark.parametrize(
    "use",
    [
        lambda m, X: m.score_samples(X),
        lambda m, X: m.predict(X),
        lambda m, X: m.decision_function(X),
        lambda m, X: m.reconstruct(X),
        lambda m, X: m.use_epoch(0, X),
        lambda m, X: m.save("never.alocc"),
    ],
)
def test_before_fit_it_says_so(use, X):
    with pytest.raises(NotFittedError):
        use(ALOCC(), X)
    assert not hasattr(ALOCC(), "offset_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("r_alpha", -1.0),
        ("noise_sigma", -0.1),
        ("learning_rate", 0.0),
        ("clipvalue", 0),
        ("decay", -1),
        ("gf_dim", 0),
        ("df_dim", 1.5),
        ("decoder", "deconv"),
        ("fidelity", "faithful"),
        ("score", "mse"),
        ("select_epoch", "best"),
        ("first_epoch", -1),
        ("statistics", "own"),
        ("orientation", "labels"),
        ("contamination", 0.7),
        ("steps_per_execution", 0),
        ("random_state", "seed"),
        ("verbose", "yes"),
    ],
)
def test_parameters_are_checked_in_fit(name, value, X):
    with pytest.raises(InvalidParameterError, match=name):
        ALOCC(**{name: value}).fit(X)


@pytest.mark.parametrize("white", [1, 16, 127])
def test_bytes_that_are_all_dark_are_not_trained_on_unless_their_white_is_known(X, white):
    levels = np.rint(X * white).astype(np.uint8)
    with pytest.raises(ValueError, match=rf"nothing above {levels.max()}\. .*to_unit\(X, white="):
        ALOCC(epochs=1, **PARAMS).fit(levels)


@pytest.mark.slow
def test_bytes_by_their_white_give_what_floats_give(X):
    few = ALOCC(epochs=1, **PARAMS)
    discs = (X > 0.5).astype(np.uint8)
    expected = few.fit(discs.astype(np.float32)).score_samples(discs.astype(np.float32))
    unit = alocc.datasets.to_unit(discs, white=1)
    np.testing.assert_array_equal(few.fit(unit).score_samples(unit), expected)
    np.testing.assert_array_equal(few.score_samples(discs > 0), expected)
    np.testing.assert_array_equal(few.score_samples(discs * np.uint8(255)), expected)
    few.fit(alocc.datasets.to_unit(discs, white=255))  # images that are that dark


def test_bytes_that_are_all_but_black_are_scored_with_a_warning(fitted, X):
    discs = (X > 0.5).astype(np.uint8)
    with pytest.warns(UserWarning, match=r"nothing above 1 from X\[0\] to X\[39\].*white=1\)") as w:
        fitted.score_samples(discs)
    assert w[0].filename == __file__
    fitted.score_samples(discs * np.uint8(17))
    fitted.score_samples(discs * np.uint8(0))


def with_pixel(X, value):
    X = X.copy()
    X[1, 2, 3] = value
    return X


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: with_pixel(X, 1.5), r"to 1.5, expected pixels in \[0, 1\]"),
        (lambda X: with_pixel(X, -0.5), r"-0.5"),
        (lambda X: with_pixel(X, np.nan), "NaN"),
        (lambda X: with_pixel(X, np.inf), "inf"),
        (lambda X: with_pixel(X.astype(float), 1e39), r"to 1e\+39, expected"),
        (lambda X: X[:, None], r"shape \(40, 1, 18, 16\), channels first.*np\.moveaxis"),
        (lambda X: np.stack([X] * 3, axis=1), r"shape \(40, 3, 18, 16\), channels first"),
        (lambda X: X.reshape(len(X), -1), r"shape \(40, 288\); expected \(n, height, width\)"),
        (lambda X: X[0, 0], "expected"),
        (lambda X: X[:0], "at least one image"),
        (lambda X: X[:15], "15 images, fewer than batch_size=16"),
        (lambda X: X[:, :15], "height 15 and width 16 are too small"),
        (lambda X: np.stack([X, X], axis=-1), "channels"),
        (lambda X: (255 * X).astype(int), "int64, expected uint8"),
        (lambda X: [X[0], X[1, :17]], "different sizes"),
    ],
)
def test_images_that_cannot_be_are_refused(spoil, message, X):
    with pytest.raises(ValueError, match=message):
        ALOCC(**PARAMS).fit(spoil(X))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:, 1:], r"\(17, 16, 1\).*fitted on \(18, 16, 1\)"),
        (lambda X: np.stack([X] * 3, axis=-1), r"\(18, 16, 3\)"),
        (lambda X: with_pixel(X, np.nan), "NaN"),
        (lambda X: with_pixel(X, 2), r"\[0, 1\]"),
        (lambda X: X[0], "expected"),
        (lambda X: X[:0], "at least one image"),
    ],
)
def test_images_unlike_those_of_fit_are_refused(spoil, message, X, fitted):
    for use in (fitted.score_samples, fitted.predict, fitted.reconstruct):
        with pytest.raises(ValueError, match=message):
            use(spoil(X))


def test_a_bad_pixel_is_told_with_its_place(X, fitted, monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_PIXELS", 3 * 18 * 16)  # three images a block
    bad = X.astype(float)
    bad[7, 5, 2] = 1e39  # no float32
    message = r"The first other one is 1e\+39, X\[7, 5, 2, 0\]"
    with pytest.raises(ValueError, match=message):
        ALOCC(**PARAMS).fit(bad)
    batches = tf.data.Dataset.from_tensor_slices(bad).batch(5)
    for images in (bad, batches):
        with pytest.raises(ValueError, match=message):
            fitted.score_samples(images)


def test_pixels_are_looked_at_as_the_networks_take_them(X, fitted):
    nearly = X.astype(float)
    nearly[0] = 1 + 1e-12  # 1 in float32
    nearly[1] = -1e-60
    rounded = np.where(nearly > 1, 1, np.maximum(nearly, 0))
    np.testing.assert_array_equal(fitted.score_samples(nearly), fitted.score_samples(rounded))


def test_nan_is_neither_inlier_nor_outlier(X, fitted):
    broken = copy.deepcopy(fitted)
    weights = broken.discriminator_.get_weights()
    broken.discriminator_.set_weights([np.full_like(w, np.nan) for w in weights])
    broken.predict(X)  # by the reconstruction, which is whole
    broken.set_params(score="d_x")
    with pytest.raises(ValueError, match="score of 40 of 40 samples is NaN, first of number 0"):
        broken.predict(X)
    assert np.isnan(broken.score_samples(X)).all()
    broken = copy.deepcopy(fitted)
    broken.offsets_["reconstruction"] = np.nan
    with pytest.raises(ValueError, match="is NaN"):
        broken.predict(X)


def test_fit_learns_what_it_documents(fitted, X):
    assert fitted.image_shape_ == (18, 16, 1)
    assert fitted.generator_.name == "R"
    assert fitted.discriminator_.name == "D"
    assert fitted.adversarial_model_.generator is fitted.generator_
    assert fitted.history_["epoch"].tolist() == [0, 0, 1, 1, 2, 2]
    assert set(fitted.offsets_) == set(detector.SCORES)


def test_scores_are_what_they_are_called(fitted, X):
    x = X[..., None]
    rx = fitted.generator_(x, training=False).numpy()
    expected = {
        "reconstruction": -np.mean((x - rx) ** 2, axis=(1, 2, 3)),
        "d_x": fitted.discriminator_(x, training=False).numpy()[:, 0],
        "d_rx": fitted.discriminator_(rx, training=False).numpy()[:, 0],
    }
    for score, values in expected.items():
        np.testing.assert_allclose(fitted.score_samples(X, score), values, rtol=1e-5)
    np.testing.assert_array_equal(
        fitted.score_samples(X), fitted.score_samples(X, "reconstruction")
    )
    with pytest.raises(ValueError, match="score is 'mse'"):
        fitted.score_samples(X, "mse")


def test_score_may_be_set_after_fit(fitted, X):
    other = copy.deepcopy(fitted).set_params(score="d_rx")
    np.testing.assert_array_equal(other.score_samples(X), fitted.score_samples(X, "d_rx"))
    assert other.offset_ == 0.5
    np.testing.assert_array_equal(
        other.predict(X), np.where(fitted.score_samples(X, "d_rx") < 0.5, -1, 1)
    )


@pytest.mark.slow
def test_noise_is_reconstructed_worse_than_what_was_learned(X):
    """Of 16 seeds at 25 epochs 15 have an AUC above 0.8, of four at one epoch none."""
    noise = np.random.default_rng(1).random(X.shape)
    is_learned = np.repeat([True, False], len(X))
    aucs, inliers = [], []
    for seed in range(3):  # what one of them gives is another on another processor
        sizes = {"gf_dim": 4, "df_dim": 4, "batch_size": 8}
        model = ALOCC(epochs=25, **sizes, random_state=seed).fit(X)
        aucs.append(roc_auc_score(is_learned, model.score_samples(np.concatenate([X, noise]))))
        inliers.append((model.predict(X) == 1).mean())
    assert np.median(aucs) > 0.8
    assert np.median(inliers) > 0.85


def test_images_come_in_several_forms(fitted, X):
    scores = fitted.score_samples(X)
    np.testing.assert_array_equal(fitted.score_samples(X[..., None]), scores)
    np.testing.assert_allclose(fitted.score_samples(X.astype(np.float64)), scores)
    np.testing.assert_array_equal(fitted.score_samples(list(X)), scores)
    bytes_ = np.round(255 * X).astype(np.uint8)
    np.testing.assert_array_equal(
        fitted.score_samples(bytes_), fitted.score_samples(bytes_ / np.float32(255))
    )


def test_reconstructions_have_the_shape_of_the_images(fitted, X):
    assert fitted.reconstruct(X).shape == X.shape
    assert fitted.reconstruct(X[..., None]).shape == (*X.shape, 1)


@pytest.mark.parametrize("fidelity", ["authors", "published", "corrected"])
def test_auto_is_what_the_program_does(fidelity, X, monkeypatch):
    seen, compile_models = {}, detector.networks.compile_models

    def spy_train(networks, *args, n_epochs, algorithm, **kwargs):
        seen.update(networks=networks, epochs=n_epochs, algorithm=algorithm)
        raise KeyboardInterrupt

    def spy_compile(models, r_alpha, learning_rate, clipvalue, decay, ingredients):
        seen.update(r_alpha=r_alpha, clipvalue=clipvalue, decay=decay)
        compile_models(models, r_alpha, learning_rate, clipvalue, decay, ingredients)

    monkeypatch.setattr(training, "train", spy_train)
    monkeypatch.setattr(detector.networks, "compile_models", spy_compile)
    model = ALOCC(fidelity=fidelity, **PARAMS)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    layers = seen.pop("networks").generator.layers
    transposed = any(isinstance(layer, keras.layers.Conv2DTranspose) for layer in layers)
    authors = fidelity == "authors"
    assert (seen.pop("algorithm") is training.ALGORITHMS["authors"]) == transposed == authors
    expected = (
        {"epochs": 40, "clipvalue": None, "decay": 0.0}
        if authors
        else {"epochs": 5, "clipvalue": 1.0, "decay": 1e-8}
    )
    assert seen == {**expected, "r_alpha": 0.2}
    assert model.epochs == model.clipvalue == model.decay == model.decoder == "auto"
    assert clone(model).get_params() == model.get_params()


@pytest.fixture(scope="module")
def by_the_authors(X):
    return ALOCC(epochs=3, fidelity="authors", **PARAMS).fit(X)


def test_tanh_is_shown_as_an_image(by_the_authors, X):
    raw = by_the_authors.generator_(X[..., None], training=False).numpy()
    assert raw.min() < 0
    shown = by_the_authors.reconstruct(X)
    np.testing.assert_allclose(shown, (raw[..., 0] + 1) / 2, rtol=1e-6)
    # The error is that of tanh itself, which D compares with images as they are.
    error = ((X - raw[..., 0]) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(by_the_authors.score_samples(X, "reconstruction"), -error, rtol=1e-5)
    # D sees it as it is, and its score is the logit.
    d_rx = by_the_authors.discriminator_(raw, training=False).numpy().ravel()
    np.testing.assert_allclose(by_the_authors.score_samples(X, "d_rx"), d_rx, rtol=1e-5)
    other = copy.deepcopy(by_the_authors).set_params(fidelity="published")
    np.testing.assert_array_equal(other.reconstruct(X), shown)


def test_the_authors_last_epoch_is_used_and_logits_have_a_fence(by_the_authors, X):
    assert by_the_authors.epoch_ == 2
    scores = by_the_authors.score_samples(X, "d_x")
    low, high = np.percentile(scores, [25, 75])
    assert by_the_authors.offsets_["d_x"] == pytest.approx(low - 1.5 * (high - low))
    assert list(by_the_authors.history_) == [*training.ALGORITHMS["authors"].losses, "epoch"]


STATISTICS = ["moving", "train_batch"]


@pytest.mark.parametrize("statistics", STATISTICS)
def test_an_image_s_score_does_not_depend_on_its_neighbours(by_the_authors, X, statistics):
    model = copy.deepcopy(by_the_authors).set_params(statistics=statistics)
    for score in ("d_x", "d_rx"):
        alone = [model.score_samples(X[i : i + 1], score)[0] for i in (0, 7)]
        np.testing.assert_allclose(model.score_samples(X, score)[[0, 7]], alone, rtol=1e-4)


def test_statistics_of_the_scored_batch_are_those_of_training(by_the_authors, X):
    model = copy.deepcopy(by_the_authors).set_params(statistics="batch")
    before = model.discriminator_.get_weights()
    scores = model.score_samples(X, "d_x")
    for b, a in zip(before, model.discriminator_.get_weights()):
        np.testing.assert_array_equal(a, b)
    # 40 images in batches of 16 at least: 16 and 24
    expected = [model.discriminator_(part[..., None], training=True) for part in (X[:16], X[16:])]
    np.testing.assert_allclose(scores, np.concatenate(expected).ravel(), rtol=1e-4, atol=1e-6)
    for use in (model.predict, model.score_samples, model.reconstruct):
        with pytest.raises(ValueError, match="X has 15 images; with statistics='batch'"):
            use(X[:15])


def test_statistics_of_a_training_batch_make_the_scored_images_look_like_it(by_the_authors, X):
    model = copy.deepcopy(by_the_authors).set_params(statistics="train_batch")
    batch = model._references[:16]
    expected = model.discriminator_(batch, training=True).numpy().ravel()
    np.testing.assert_allclose(model.score_samples(batch, "d_x"), expected, rtol=1e-4, atol=1e-6)


def flipped(model):
    """The same, but D's logit has the other sign."""
    model = copy.deepcopy(model)
    for weights in model.epoch_weights_:
        weights["D"][-2:] = [-w for w in weights["D"][-2:]]
    return model


@pytest.mark.parametrize("fidelity", [pytest.param("authors", marks=pytest.mark.slow), "published"])
def test_orientation_by_training_images_undoes_a_flip(fidelity, X):
    model = ALOCC(epochs=2, fidelity=fidelity, **PARAMS).fit(X)
    pair = model, flipped(model)
    for orientation in ("raw", "training"):
        one, other = (
            m.set_params(orientation=orientation).use_epoch(1, X).score_samples(X, "d_rx")
            for m in pair
        )
        mirrored = 1 - other if fidelity == "published" else -other
        same = other if orientation == "training" else mirrored
        np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-6)
        if orientation == "training":
            assert (one.mean() > 0.5) if fidelity == "published" else (one.mean() > 0)


@pytest.mark.slow
def test_mean_of_epochs_is_that_of_standardised_scores(X, tmp_path):
    settings = {**PARAMS, "fidelity": "authors", "orientation": "training", "epochs": 3}
    single = ALOCC(**settings).fit(X)
    model = ALOCC(**settings, select_epoch="mean", first_epoch=1).fit(X)
    assert [c["epoch"] for c in model.calibrations_] == [1, 2]
    for score in detector.SCORES:
        expected = 0
        for epoch, held in zip((1, 2), model.calibrations_):
            single.use_epoch(epoch, X)
            # As many together as in the mean: it would show where an epoch's deviation is tiny.
            parts = np.split(X[:8], 8 // scoring._group())
            scores = np.concatenate([single.score_samples(part, score) for part in parts])
            expected = expected + (scores - held["mean"][score]) / held["deviation"][score] / 2
        found = model.score_samples(X[:8], score)
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(model.reconstruct(X), single.use_epoch(2, X).reconstruct(X))
    assert set(model.predict(X)) <= {-1, 1}
    model.save(tmp_path / "mean")
    loaded = ALOCC.load(tmp_path / "mean")
    np.testing.assert_array_equal(loaded.score_samples(X, "d_rx"), model.score_samples(X, "d_rx"))
    with pytest.raises(ValueError, match="weights of 0 epochs"):
        loaded.use_epoch(1, X)
    again = copy.deepcopy(loaded)
    np.testing.assert_array_equal(again.score_samples(X, "d_x"), model.score_samples(X, "d_x"))
    with pytest.raises(ValueError, match=r"first_epoch is 3.*epochs is 3"):
        ALOCC(**settings, select_epoch="mean", first_epoch=3).fit(X)


@pytest.mark.slow
def test_images_in_colour():
    X = np.random.default_rng(0).random((16, 16, 19, 3))
    for decoder in ("upsampling", "transpose"):
        model = ALOCC(epochs=1, decoder=decoder, **PARAMS).fit(X)
        assert model.reconstruct(X).shape == X.shape


def test_scores_do_not_depend_on_the_blocks(fitted, X, monkeypatch):
    scores = {score: fitted.score_samples(X, score) for score in detector.SCORES}
    monkeypatch.setattr(inputs, "BLOCK_PIXELS", 7 * 18 * 16)
    for score, values in scores.items():
        np.testing.assert_allclose(fitted.score_samples(X, score), values, rtol=1e-5)


def test_same_seed_same_numbers(fitted, X):
    again = clone(fitted).fit(X)
    np.testing.assert_array_equal(again.history_, fitted.history_)
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
    other = clone(fitted).set_params(random_state=1).fit(X)
    assert np.any(other.score_samples(X) != fitted.score_samples(X))


def test_y_is_not_learned_from(fitted, X):
    again = clone(fitted).fit(X, np.arange(len(X)))
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))


def test_epoch_of_least_reconstruction_loss_is_used(fitted, X):
    means = fitted.history_.groupby("epoch")["g_loss_reconstruction"].mean()
    assert fitted.epoch_ == means.idxmin()
    for weight, kept in zip(
        fitted.generator_.get_weights(), fitted.epoch_weights_[fitted.epoch_]["R"]
    ):
        np.testing.assert_array_equal(weight, kept)


def test_last_epoch_is_used_where_asked_for(X):
    model = ALOCC(epochs=2, select_epoch="last", **PARAMS).fit(X)
    assert model.epoch_ == 1
    scores, offset = model.score_samples(X), model.offset_
    model.use_epoch(0, X)
    assert model.epoch_ == 0
    assert np.any(model.score_samples(X) != scores)
    assert model.offset_ != offset
    model.use_epoch(1, X)
    np.testing.assert_array_equal(model.score_samples(X), scores)
    with pytest.raises(ValueError, match="epoch=2; the weights of 2 epochs"):
        model.use_epoch(2, X)


def test_contamination_is_the_share_of_training_images_that_are_outliers(X):
    model = ALOCC(epochs=1, contamination=0.2, **PARAMS).fit(X)
    for score in detector.SCORES:
        model.set_params(score=score)
        assert (model.predict(X) == -1).sum() == 8


def test_without_contamination_the_fence_is_tukeys(fitted, X):
    scores = fitted.score_samples(X)
    low, high = np.percentile(scores, [25, 75])
    assert fitted.offset_ == pytest.approx(low - 1.5 * (high - low))
    np.testing.assert_allclose(fitted.decision_function(X), scores - fitted.offset_)
    np.testing.assert_array_equal(
        fitted.predict(X), np.where(fitted.decision_function(X) < 0, -1, 1)
    )


class StopAfterFirst(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.logs = logs
        self.model.stop_training = True


def test_callbacks_may_be_one_or_an_iterator_or_none(X, monkeypatch):
    def train(*_, callbacks, **__):
        seen.append(list(callbacks))
        raise InterruptedError

    seen, callback = [], StopAfterFirst()
    monkeypatch.setattr(training, "train", train)
    for callbacks in (callback, iter([callback]), None):
        with pytest.raises(InterruptedError):
            ALOCC(**PARAMS).fit(X, callbacks=callbacks)
    assert seen == [[callback], [callback], []]


def test_callbacks_may_end_training(X):
    callback = StopAfterFirst()
    model = ALOCC(epochs=5, **PARAMS).fit(X, callbacks=[callback])
    assert len(model.epoch_weights_) == 1
    assert callback.logs["g_loss"] == pytest.approx(model.history_["g_loss"].mean())
    with pytest.raises(TypeError, match="callbacks holds 'stop'"):
        ALOCC(**PARAMS).fit(X, callbacks=["stop"])


def test_checkpoints_hold_every_epochs_weights(X, tmp_path):
    folder = tmp_path / "new" / "checkpoints"
    model = ALOCC(epochs=2, **PARAMS).fit(X, checkpoint_dir=folder)
    assert sorted(os.listdir(folder))[:4] == [
        "epoch_00_D.weights.h5",
        "epoch_00_R.weights.h5",
        "epoch_01_D.weights.h5",
        "epoch_01_R.weights.h5",
    ]
    for epoch in range(2):
        for name, attribute in detector.MODELS.items():
            network = epochs.uncompiled(getattr(model, attribute))
            network.load_weights(folder / f"epoch_{epoch:02d}_{name}.weights.h5")
            for loaded, kept in zip(network.get_weights(), model.epoch_weights_[epoch][name]):
                np.testing.assert_array_equal(loaded, kept)


@pytest.mark.parametrize(
    "fidelity",
    ["published", *(pytest.param(f, marks=pytest.mark.slow) for f in ("corrected", "authors"))],
)
def test_a_loaded_detector_scores_bit_for_bit_as_the_saved_one(fidelity, X, tmp_path):
    model = ALOCC(epochs=2, fidelity=fidelity, score="d_rx", **PARAMS).fit(X)
    path = tmp_path / "detector.alocc"
    model.save(path)
    assert os.listdir(tmp_path) == ["detector.alocc"]
    loaded = ALOCC.load(path)
    assert loaded.get_params() == model.get_params()
    for score in detector.SCORES:
        np.testing.assert_array_equal(loaded.score_samples(X, score), model.score_samples(X, score))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.history_, model.history_)
    assert loaded.history_.index.name == "update"
    assert (loaded.epoch_, loaded.image_shape_) == (model.epoch_, model.image_shape_)
    assert loaded.adversarial_model_.discriminator is loaded.discriminator_
    with pytest.raises(ValueError, match="weights of 0 epochs"):
        loaded.use_epoch(0, X)


def test_parameters_changed_after_fit_do_not_spoil_the_file(fitted, X, tmp_path):
    other = copy.deepcopy(fitted).set_params(gf_dim=8, random_state=np.random.RandomState(0))
    other.set_params(r_alpha=np.float32(0.5))
    other.save(tmp_path / "a")
    loaded = ALOCC.load(tmp_path / "a")
    assert loaded.get_params()["random_state"] is None
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_a_place_where_nothing_can_be_saved_is_named(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        fitted.save(tmp_path / "nowhere" / "detector.alocc")
    with pytest.raises(IsADirectoryError, match="expected a file's name"):
        fitted.save(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_the_old_file_alone(fitted, tmp_path, monkeypatch):
    path = tmp_path / "detector.alocc"
    path.write_text("old")
    monkeypatch.setattr(zipfile.ZipFile, "write", None)
    with pytest.raises(TypeError):
        fitted.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["detector.alocc"]


def test_other_files_are_not_loaded(fitted, tmp_path):
    (tmp_path / "text").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty", "w"):
        pass
    with zipfile.ZipFile(tmp_path / "other", "w") as archive:
        archive.writestr("detector.json", json.dumps({"class": "SOGAAL", "format": 1}))
    for name, message in [("text", "is not a detector"), ("empty", "is not"), ("other", "SOGAAL")]:
        with pytest.raises(ValueError, match=message):
            ALOCC.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        ALOCC.load(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError, match="a folder; expected the file of a saved detector"):
        ALOCC.load(tmp_path)


def test_a_damaged_file_says_so(fitted, tmp_path):
    fitted.save(tmp_path / "whole")
    with zipfile.ZipFile(tmp_path / "whole") as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(tmp_path / "part", "w") as part:
        for name in members.keys() - {"R.keras"}:
            part.writestr(name, members[name])
    with pytest.raises(ValueError, match=r"part is damaged: .*R\.keras"):
        ALOCC.load(tmp_path / "part")


def test_a_fit_that_is_interrupted_leaves_the_detector_as_it_was(fitted, X):
    class Interrupts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    detector = copy.deepcopy(fitted)
    before = dict(vars(detector))
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, callbacks=Interrupts())
    assert vars(detector) == before
    unfitted = ALOCC(epochs=1, **PARAMS)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X, callbacks=Interrupts())
    assert not hasattr(unfitted, "history_")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_score_alike_and_are_whole(duplicate, fitted, X):
    other = duplicate(fitted)
    np.testing.assert_array_equal(other.score_samples(X), fitted.score_samples(X))
    assert other.adversarial_model_.generator is other.generator_
    assert other.generator_ is not fitted.generator_
    duplicate(ALOCC())


class Started(Exception):
    pass


@pytest.mark.parametrize(("epochs", "warned"), [(99, True), (100, False)])
def test_a_training_of_few_updates_says_so_before_it_starts(X, monkeypatch, epochs, warned):
    def train(*args, **kwargs):
        raise Started

    monkeypatch.setattr(detector.training, "train", train)
    model = ALOCC(epochs=epochs, **PARAMS | {"batch_size": len(X) - 1})
    with warnings.catch_warnings(action="always", record=True) as told, pytest.raises(Started):
        model.fit(X)
    messages = [str(w.message) for w in told if "updates" in str(w.message)]
    assert len(messages) == warned
    if warned:
        assert (
            f"99 updates: 99 epochs, each of 1 whole batch of batch_size={len(X) - 1}"
            in (messages[0])
        )
        assert told[-1].filename == __file__


def test_a_run_that_diverges_is_told_of(X):
    class Spoils(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):  # at the beginning it would share no program
            weights = self.model.get_weights()
            self.model.set_weights([np.full_like(w, np.nan) for w in weights])

    with pytest.warns(ConvergenceWarning, match="from update 2 on"):
        model = ALOCC(epochs=2, **PARAMS).fit(X, callbacks=Spoils())
    assert model.epoch_ == 0
