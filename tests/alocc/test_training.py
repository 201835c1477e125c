"""The published update, and the two doors to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alocc import networks, training

BATCH = 4
SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    x = rng.random((22, *SHAPE), np.float32)
    return x, np.clip(x + rng.normal(0, 0.155, x.shape), 0, 1).astype(np.float32)


def build(fidelity="published"):
    ingredients = networks.FIDELITIES[fidelity]
    models = networks.combine(
        networks.build_generator(SHAPE, 2, 2, ingredients=ingredients, seed=1),
        networks.build_discriminator(SHAPE, 2, ingredients=ingredients, seed=2),
        ingredients,
    )
    networks.compile_models(models, ingredients=ingredients)
    return models


def fit(images, models=None, n_epochs=2, **options):
    if models is None:  # alike, and so of one program
        models, options = build(), {"share_as": __name__, **options}
    history = training.train(models, *images, batch_size=BATCH, n_epochs=n_epochs, **options)
    return history, models


@pytest.fixture(scope="module")
def by_batch(images):
    """A run by the first door, without what no published loop calls."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("predict", "predict_on_batch", "evaluate", "fit"):
            patch.setattr(keras.Model, method, None)
        return fit(images, steps_per_execution=1)


class Recorder:
    """Stands in for a step, and writes down what it is asked to do."""

    def __init__(self):
        self.steps = []

    def __call__(self, model, x, y):
        self.steps.append((model.name, np.asarray(x), y))
        loss = float(len(self.steps))
        parts = ("reconstruction", "validity", "real", "fake")
        return {"loss": loss, **{f"{part}_loss": loss + i / 10 for i, part in enumerate(parts, 1)}}


def test_update_takes_the_published_steps_in_order(images):
    models, recorder = build(), Recorder()
    x, z = (tf.constant(part[:BATCH]) for part in images)
    losses = training.published_update(models, training.Door(recorder, None), x, z)
    assert [name for name, _, _ in recorder.steps] == [
        "D",
        "D",
        "adversarial_model",
        "adversarial_model",
    ]
    (_, x0, y0), (_, x1, y1), *generator_steps = recorder.steps
    np.testing.assert_array_equal(x0, x)
    np.testing.assert_array_equal(y0, np.ones((BATCH, 1)))
    np.testing.assert_array_equal(x1, models.generator(z, training=False))
    np.testing.assert_array_equal(y1, np.zeros((BATCH, 1)))
    for _, x2, (target, label) in generator_steps:
        np.testing.assert_array_equal(x2, z)
        np.testing.assert_array_equal(target, x)
        np.testing.assert_array_equal(label, np.ones((BATCH, 1)))
    assert losses == (1, 2, 4, 4.1, 4.2)


def test_update_takes_the_authors_steps_in_order(images):
    models, learning, printing = build("authors"), Recorder(), Recorder()
    x, z = (tf.constant(part[:BATCH]) for part in images)
    losses = training.authors_update(models, training.Door(learning, printing), x, z)
    for recorder, steps_of_r in ((learning, 2), (printing, 1)):
        (name, inputs, (real, fake)), *generator_steps = recorder.steps
        assert name == "discriminator_model"
        np.testing.assert_array_equal(inputs, [x, z])
        np.testing.assert_array_equal(real, np.ones((BATCH, 1)))
        np.testing.assert_array_equal(fake, np.zeros((BATCH, 1)))
        assert len(generator_steps) == steps_of_r
        for name, inputs, (target, label) in generator_steps:
            assert name == "adversarial_model"
            np.testing.assert_array_equal(inputs, z)
            np.testing.assert_array_equal(target, z)
            np.testing.assert_array_equal(label, np.ones((BATCH, 1)))
    assert losses == (1.3, 1.4, 3, 3.1, 3.2, 2, 2.1, 2.2, 1.3, 1.4, 2)
    assert len(losses) == len(training.ALGORITHMS["authors"].losses)


@pytest.mark.parametrize("door", ["train_on_batch", "train_step"])
def test_a_printed_pass_moves_the_statistics_and_nothing_else(images, door):
    models = build("authors")
    x, z = (tf.constant(part[:BATCH]) for part in images)
    test = {"train_on_batch": training.test_on_batch, "train_step": training.test_step}[door]
    weights = [*models.generator.weights, *models.discriminator.weights]
    before = [w.numpy() for w in weights]
    test(models.discriminator_model, [x, z], [tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))])
    for weight, b in zip(weights, before):
        assert np.any(weight.numpy() != b) == weight.name.startswith("moving")


def test_batches_come_in_order_every_epoch_and_the_rest_is_dropped(images, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(training, "train_on_batch", recorder)
    fit(images, steps_per_execution=1, n_epochs=2)
    seen = np.concatenate([x for name, x, y in recorder.steps[::4]])
    np.testing.assert_array_equal(seen, np.concatenate([images[0][:20]] * 2))


@pytest.mark.parametrize("steps_per_execution", [3, pytest.param("auto", marks=pytest.mark.slow)])
def test_both_doors_give_the_same_numbers(images, by_batch, steps_per_execution):
    history, models = fit(images, steps_per_execution=steps_per_execution)
    np.testing.assert_allclose(history, by_batch[0], rtol=1e-3)
    for a, b in zip(models.generator.get_weights(), by_batch[1].generator.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.slow
def test_both_doors_give_the_same_numbers_when_corrected(images):
    by_batch, _ = fit(images, build("corrected"), steps_per_execution=1)
    history, _ = fit(images, build("corrected"))
    np.testing.assert_allclose(history, by_batch, rtol=1e-3)


def test_history_has_a_row_an_update_and_nothing_predicts_in_the_loop(by_batch):
    history, _ = by_batch
    assert list(history.columns) == [*training.LOSSES, "epoch"]
    assert history["epoch"].tolist() == [0] * 5 + [1] * 5
    assert history.index.name == "update"
    total = 0.2 * history["g_loss_reconstruction"] + history["g_loss_validity"]
    np.testing.assert_allclose(history["g_loss"], total, rtol=1e-5)


@pytest.mark.slow
def test_one_graph_serves_executions_of_every_length(images):
    traced = []
    update, losses = training.PUBLISHED
    algorithm = training.Algorithm(lambda *a: traced.append(1) or update(*a), losses)
    execute = training.fused(build(), BATCH, algorithm)
    x, z = (part[:20].reshape(5, BATCH, *SHAPE) for part in images)
    assert execute(x[:3], z[:3]).shape == (3, 5)
    assert execute(x[3:], z[3:]).shape == (2, 5)
    assert len(traced) == 1


@pytest.mark.slow
def test_many_fits_draw_no_retracing_warning(images, caplog):
    def update(models, door, x, z):  # one step of an update is enough to be warned of
        return 5 * (door.train(models.discriminator, x, tf.ones((BATCH, 1)))["loss"],)

    x, z = (part[:4].reshape(1, BATCH, *SHAPE) for part in images)
    for _ in range(6):
        training.fused(build(), BATCH, training.Algorithm(update, training.LOSSES))(x, z)
    assert "retracing" not in caplog.text


@pytest.mark.parametrize(
    ("steps_per_execution", "batches", "bytes_per_update", "expected"),
    [
        (1, 10, 100, 1),
        (4, 10, 100, 4),
        (40, 10, 100, 10),
        ("auto", 10, 100, 10),
        ("auto", 1000, 2**20, 16),
        ("auto", 1000, 2**30, 1),
    ],
)
def test_an_execution_runs_at_most_an_epoch_and_auto_bounds_its_memory(
    steps_per_execution, batches, bytes_per_update, expected
):
    together = training.updates_per_execution(steps_per_execution, batches, bytes_per_update)
    assert together == expected


class Spy(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_train_begin(self, logs=None):
        self.events.append("train begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(("begin", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("end", epoch))
        self.logs = logs

    def on_train_end(self, logs=None):
        self.events.append("train end")


def test_callbacks_are_called_around_epochs_with_the_means_of_their_losses_after_on_epoch(
    images, monkeypatch
):
    monkeypatch.setattr(training, "train_on_batch", Recorder())
    spy, seen = Spy(), []
    history, _ = fit(
        images,
        callbacks=[spy],
        on_epoch=lambda epoch, logs: seen.append((epoch, len(spy.events), set(logs))),
        steps_per_execution=1,
    )
    assert spy.events == [
        "train begin",
        ("begin", 0),
        ("end", 0),
        ("begin", 1),
        ("end", 1),
        "train end",
    ]
    means = history[history["epoch"] == 1][training.LOSSES].mean()
    assert spy.logs == pytest.approx(means.to_dict())
    assert seen == [(0, 2, set(training.LOSSES)), (1, 4, set(training.LOSSES))]


class Stop(keras.callbacks.Callback):
    """Ends training after an epoch, and leaves the program that is there to be shared."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def test_training_ends_after_the_epoch_where_a_callback_says_so(images):
    models, options = build(), {"share_as": __name__, "steps_per_execution": 1}
    history, _ = fit(images, models, 5, callbacks=[Stop()], **options)
    assert history["epoch"].unique().tolist() == [0, 1]
    history, _ = fit(images, models, 1, **options)
    assert len(history) == 5


def test_progress_bar_shows_the_losses(images, capsys):
    fit(images, n_epochs=2, verbose=1, steps_per_execution=1)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "5/5" in shown
    assert all(f"{loss}:" in shown for loss in training.LOSSES)


def test_nothing_is_shown_without_verbose(images, capsys):
    fit(images, n_epochs=1, steps_per_execution=1)
    assert capsys.readouterr().out == ""
