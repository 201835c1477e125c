"""The comparison with the ports: what they do otherwise, and the script that measures it."""

import importlib
import importlib.util
import itertools

import compare_ports as script
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from porting import methods, tables, worker
from porting.departures import DEPARTURES, MO, SO, departed, own_share_update

from gaal import SOGAAL, networks, training
from gaal.datasets import load_dataset, make_onecluster

SMALL = {"stop_epochs": 2, "batch_size": 50, "random_state": 0, "steps_per_execution": 1}


@pytest.fixture(scope="module")
def points():
    """120 x 2: two batches of 50, and 20 left over."""
    data = make_onecluster(120, 10, random_state=0)
    return data.data.astype("float32"), data.target


def fit(points, algorithm, *names, **parameters):
    k = {"k": 3} if algorithm == MO else {}
    return departed(algorithm, names, **{**SMALL, **k, **parameters}).fit(*points)


# ---------------------------------------------------------------------------------------
# Departures


def test_without_departures_it_is_the_published_detector():
    detector = departed(SO, stop_epochs=3)
    assert type(detector) is SOGAAL
    assert detector.get_params() == SOGAAL(stop_epochs=3).get_params()


@pytest.fixture(scope="module")
def published(points):
    return fit(points, SO).history_


@pytest.mark.parametrize(
    "name", [n for n in DEPARTURES if SO in DEPARTURES[n].algorithms and n != "no_decay"]
)
@pytest.mark.filterwarnings("ignore:The features of X lie")
def test_a_departure_changes_the_training(points, published, name):
    history = fit(points, SO, name).history_
    assert list(history) == list(published)
    assert len(history) == len(published)
    assert not np.allclose(history, published, rtol=0, atol=1e-7)


def test_without_decay_the_learning_rate_stays(points):
    """Six updates are too few for the decay to show in the losses."""
    rate = float(fit(points, SO, "no_decay").combine_model_.optimizer.learning_rate)
    assert rate == pytest.approx(1e-4, rel=1e-6)
    assert float(fit(points, SO).combine_model_.optimizer.learning_rate) < 1e-4 * (1 - 4e-6)


@pytest.mark.slow
def test_departures_go_together(points):
    both = fit(points, MO, "own_share", "short_batch")
    assert int(both.combine_model_.optimizer.iterations) == 2 * (2 + 1) + 1  # to the stop
    alone = fit(points, MO, "short_batch")
    assert not np.allclose(both.history_, alone.history_, rtol=0, atol=1e-9)


def test_a_summed_loss_is_a_doubled_learning_rate(points, monkeypatch):
    """PyOD's loss(real) + loss(fake), compiled as such, gives the numbers of the switch."""
    summed = fit(points, SO, "loss_summed")
    compile_models = networks.compile_models

    def twice(y_true, y_pred):
        return 2 * networks.clipped_binary_crossentropy(y_true, y_pred)

    def compile_with_sum(gan, *args):
        compile_models(gan, *args)
        D = gan.discriminator
        D.compile(D.optimizer, loss=twice, jit_compile=False)

    monkeypatch.setattr(networks, "compile_models", compile_with_sum)
    doubled = SOGAAL(**SMALL).fit(*points)
    np.testing.assert_allclose(
        doubled.history_["discriminator_loss"], 2 * summed.history_["discriminator_loss"], rtol=1e-6
    )
    np.testing.assert_allclose(
        doubled.discriminator_(points[0]), summed.discriminator_(points[0]), rtol=1e-6
    )


def test_upside_down_is_one_minus_the_auc(points):
    published, upside_down = fit(points, SO), fit(points, SO, "upside_down")
    np.testing.assert_allclose(
        upside_down.score_samples(points[0]), 1 - published.score_samples(points[0])
    )
    np.testing.assert_allclose(upside_down.history_["auc"], 1 - published.history_["auc"])


def test_initial_weights_are_those_of_pytorch(points):
    d = 8
    names = ["he_normal", "discriminator_biases", "generator_biases"]
    detector = departed(SO, names, random_state=0)
    w1, b1, w2, b2 = detector._build_discriminator(d, 40_000, 1).get_weights()
    assert w1.std() == pytest.approx((2 / d) ** 0.5, rel=0.05)
    assert abs(w1).max() > 2.5 * (2 / d) ** 0.5  # not truncated at two deviations
    assert w2.std() == pytest.approx((1 / 200) ** 0.5, rel=0.2)
    assert 0.9 / d**0.5 < abs(b1).max() <= 1 / d**0.5
    assert 0 < abs(b2[0]) <= 200**-0.5
    kernel, bias, *_ = detector._build_generator(d).get_weights()
    np.testing.assert_array_equal(kernel, np.eye(d))
    assert 0.4 / d**0.5 < abs(bias).max() <= 1 / d**0.5
    stacked = departed(MO, ["generator_biases"], k=3, random_state=0)._build_generator(d)
    assert stacked.get_weights()[1].shape == (3, 1, d)


def test_a_frozen_generator_stays_the_identity(points):
    frozen = fit(points, SO, "frozen").generator_.get_weights()
    for weight, start in zip(frozen, [np.eye(2), np.zeros(2)] * 2):
        np.testing.assert_array_equal(weight, start)
    stopped = fit(points, SO, "one_epoch").generator_.get_weights()
    after_an_epoch = fit(points, SO, epochs=1).generator_.get_weights()
    assert not np.array_equal(stopped[0], np.eye(2))
    for weight, expected in zip(stopped, after_an_epoch):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.slow), 1000])
def test_the_short_batch_is_one_more_update_an_epoch(points, steps):
    detector = fit(points, SO, "short_batch", steps_per_execution=steps)
    assert len(detector.history_) == 6 * 2
    assert int(detector.combine_model_.optimizer.iterations) == 3 * (2 + 1)  # generator: 3 epochs
    published = fit(points, SO)
    assert int(published.combine_model_.optimizer.iterations) == 3 * 2


@pytest.mark.filterwarnings("ignore:The features of X lie")
def test_standardised_data_forget_their_scale(points):
    X, y = points
    here, there = fit((X, y), SO, "standardised"), fit((8 * X, y), SO, "standardised")
    np.testing.assert_allclose(here.score_samples(X), there.score_samples(8 * X), rtol=1e-5)


def test_own_share_steps_each_sub_generator_on_its_rows(points):
    """One update: every sub-generator moves by lr times the gradient of its own rows' loss."""
    X = tf.constant(points[0])
    k, B, lr = 3, 50, 0.1
    gan = networks.combine(
        networks.build_sub_generators(2, k), networks.build_discriminator(2, len(X), seed=0)
    )
    networks.compile_models(gan, 0.01, lr, 0, 0.9)
    noise = tf.constant(np.random.default_rng(0).random((2, B, 2), dtype=np.float32))
    before = networks.unstack(gan.generator)
    _, losses = own_share_update(
        gan, training.train_on_batch, training.test_on_batch, X, X[:B], noise, True
    )
    after = networks.unstack(gan.generator)
    scores = gan.discriminator(X).numpy().ravel()
    starts = [0, 24, 40, 50]  # shares of q = 50 // 6 = 8: 3 q, 2 q, and what is left
    for i, (start, stop) in enumerate(itertools.pairwise(starts)):
        target = np.percentile(scores, 100 * i / k)
        with tf.GradientTape() as tape:
            p = gan.discriminator(before[i](noise[0, start:stop]))
            loss = tf.reduce_mean(keras.losses.binary_crossentropy(tf.fill(p.shape, target), p))
        gradients = tape.gradient(loss, before[i].trainable_variables)
        assert float(losses[i]) == pytest.approx(float(loss), rel=1e-5)
        for new, old, gradient in zip(after[i].weights, before[i].weights, gradients):
            np.testing.assert_allclose(new, old - lr * gradient, atol=1e-6)


def test_an_unknown_departure_is_refused():
    with pytest.raises(ValueError, match="'warp' is no departure"):
        departed(SO, ["warp"])
    with pytest.raises(ValueError, match="does not go with so-gaal"):
        departed(SO, ["own_share"])
    with pytest.raises(ValueError, match="algorithm='gaal'"):
        departed("gaal")


# ---------------------------------------------------------------------------------------
# PyOD itself


def keras_weights(model):
    """Kernels and biases of a PyTorch model in Keras's layout."""
    return [p.detach().numpy().T.copy() for p in model.parameters()]


@pytest.fixture
def recorded(monkeypatch):
    """Record every network as initialised and all noise as drawn by PyOD."""
    pytest.importorskip("pyod")
    torch = pytest.importorskip("torch")
    record = {"D": [], "G": [], "noise": []}

    def remember(where, name, key):
        make = getattr(where, name)

        def made(*args):
            model = make(*args)
            record[key].append(keras_weights(args[0] if model is None else model))
            return model

        monkeypatch.setattr(where, name, made)

    so = importlib.import_module("pyod.models.so_gaal")
    mo = importlib.import_module("pyod.models.mo_gaal")
    remember(so.Discriminator, "__init__", "D")
    remember(so.Generator, "__init__", "G")
    remember(mo, "create_discriminator", "D")
    remember(mo, "create_generator", "G")
    rand = torch.rand

    def draw(*args, **kwargs):
        values = rand(*args, **kwargs)
        record["noise"].append(values.numpy().copy())
        return values

    monkeypatch.setattr(torch, "rand", draw)
    torch.manual_seed(0)
    return record


def replay(record, X, algorithm, k, lr_d, stop_epochs):
    """Train our networks from PyOD's start on PyOD's noise."""
    n, d = X.shape
    G = networks.build_generator(d) if k is None else networks.build_sub_generators(d, k)
    G.set_weights(record["G"][0] if k is None else networks.stack(record["G"]))
    D = networks.build_discriminator(d, n)
    D.set_weights(record["D"][0])
    gan = networks.combine(G, D)
    networks.compile_models(gan, lr_d, 0.0001, 0, 0.9)
    noise = np.stack(record["noise"])[:, None].repeat(algorithm.draws, axis=1)
    drawn = iter(noise)
    history = training.train(
        gan,
        algorithm,
        X,
        orders=itertools.repeat(np.arange(n, dtype=np.int32)[None]),
        draw_noise=lambda count: np.stack([next(drawn) for _ in range(count)]),
        n_epochs=3 * stop_epochs,
        active_updates=algorithm.active_updates(stop_epochs, 1, 3 * stop_epochs, True),
        steps_per_execution=1,
    )
    return D(X).numpy().ravel(), history


@pytest.mark.extras
def test_the_departures_of_pyods_so_gaal_are_all_there_are(recorded, points, capsys):
    """Summed loss, no decay, its initial weights: then our update is PyOD's, number by number."""
    X = points[0]
    port = importlib.import_module("pyod.models.so_gaal").SO_GAAL(stop_epochs=4).fit(X)
    scores, history = replay(recorded, X, training.SO_GAAL, None, 0.02, 4)
    np.testing.assert_allclose(scores, port.decision_scores_, atol=1e-5)
    np.testing.assert_allclose(
        2 * history["discriminator_loss"], port.train_history["discriminator_loss"], atol=2e-5
    )
    np.testing.assert_allclose(
        history["generator_loss"], port.train_history["generator_loss"], atol=2e-5
    )


@pytest.mark.extras
def test_the_departures_of_pyods_mo_gaal_are_all_there_are(recorded, points, capsys):
    """Its D averages the loss, as published; its sub-generators see their own rows alone."""
    X = points[0]
    port = importlib.import_module("pyod.models.mo_gaal").MO_GAAL(k=3, stop_epochs=4).fit(X)
    algorithm = departed(MO, ["own_share"])._algorithm
    scores, history = replay(recorded, X, algorithm, 3, 0.01, 4)
    np.testing.assert_allclose(scores, port.decision_scores_, atol=1e-5)
    for name in ("discriminator_loss", "sub_generator2_loss", "generator_loss"):
        np.testing.assert_allclose(history[name], port.train_history[name], atol=2e-5)


@pytest.mark.extras
def test_pyods_ranking_is_upside_down_to_its_own_discriminator(recorded, points, capsys):
    """Its D gives more to data than to noise, and yet the higher the more an outlier."""
    torch = pytest.importorskip("torch")
    X, y = points
    port = importlib.import_module("pyod.models.so_gaal").SO_GAAL(stop_epochs=60).fit(X)
    D = lambda x: port.discriminator(torch.tensor(x)).detach().numpy().ravel()  # noqa: E731
    np.testing.assert_array_equal(port.decision_scores_, D(X))
    far = np.random.default_rng(0).random((500, 2), dtype=np.float32)
    assert D(X[y == 0]).mean() > D(far).mean() + 0.05


@pytest.mark.extras
def test_turned_round_the_auc_is_one_minus_pyods():
    pytest.importorskip("pyod")
    run = {"method": "pyod-so-gaal", "set": "WDBC", "data_home": None, "digit": None}
    run |= {"stop_epochs": 2, "settings": "", "seed": 0, "alone": False}
    first, again = (worker.prepare(run)() for _ in range(2))
    as_it_is, turned = first
    assert turned["score"] == "1 - D(x), turned round"
    assert as_it_is["auc"] + turned["auc"] == pytest.approx(1)
    assert again[0]["auc"] == as_it_is["auc"]  # same seed


@pytest.mark.extras
def test_the_generator_of_so_gaal_new_never_trains(points):
    """Its loss is D(noise), which G has no part in."""
    pytest.importorskip("pyod")
    new = importlib.import_module("pyod.models.so_gaal_new")
    detector = new.SO_GAAL(epoch_num=30, verbose=0)
    start = []
    prepare = detector.training_prepare
    detector.training_prepare = lambda: (prepare(), start.extend(keras_weights(detector.generator)))
    detector.fit(points[0])
    assert detector.stop_epoch_num == 10
    for before, after in zip(start, keras_weights(detector.generator)):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *(
            pytest.param(*method, marks=pytest.mark.extras)
            for method in [
                ("pyod-anogan", {"epochs": 1, "epochs_query": 2}),
                ("pyod-autoencoder", {"epoch_num": 1, "batch_size": 8}),
                ("pyod-deepsvdd", {"epochs": 1}),
            ]
        ),
        pytest.param(
            *("alocc", {"epochs": 1, "batch_size": 8, "gf_dim": 2, "df_dim": 2}),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_images_are_scored_by_every_method(name, settings):
    if name != "alocc":
        pytest.importorskip("pyod")
        pytest.importorskip("torch")
    problem = methods.load_problem("digits", digit=1)
    assert problem.X.max() <= 1
    small = methods.Problem("few", problem.X[:16], problem.X_test[:20], problem.y_test[:20], "")
    fitted = methods.METHODS[name].fit(small, settings, 0)
    for scores in fitted.scores.values():
        assert scores.shape == (20,)
        assert np.isfinite(scores).all()


# ---------------------------------------------------------------------------------------
# The script


@pytest.mark.slow
def test_runs_are_measured_kept_and_skipped(tmp_path, capsys):
    arguments = ["lof", "so-gaal+", "so-gaal+upside_down", "--data", "synthetic"]
    arguments += ["--stop_epochs", "1", "--output", str(tmp_path)]
    assert script.main([*arguments, "--seeds", "1"]) == 0
    before = pd.read_csv(tmp_path / "runs.csv")
    assert "3/3" in capsys.readouterr().out
    lof, published, upside_down = before.to_dict("records")
    assert published["auc"] + upside_down["auc"] == pytest.approx(1)
    assert lof["peak_mb"] > lof["memory_mb"]
    assert np.isnan(published["peak_mb"])  # shares a process

    assert script.main([*arguments, "--seeds", "2"]) == 0
    assert "3 of 5 are there already" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(table.iloc[:3], before)
    assert list(table["seed"][3:]) == [1, 1]
    summary = (tmp_path / "summary.md").read_text()
    assert f"| LocalOutlierFactor | defaults | 1 | {lof['auc']:.3f} |" in summary
    assert "D(x) is the outlier score (`upside_down`)" in summary
    assert (tmp_path / "auc.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".unfinished*"))


def test_without_pyod_ours_and_scikit_learns_run(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name in ("pyod", "torch") else find_spec(name, *a),
    )
    with pytest.raises(SystemExit):
        script.main(["lof", "pyod-so-gaal"])
    error = capsys.readouterr().err
    assert "pyod-so-gaal needs pyod and torch" in error
    assert "PyTorch's CPU build first" in error
    assert ".[compare]" in error
    left = script.chosen_methods([], None)
    assert {"so-gaal", "mo-gaal", "alocc", "post-bias-1", "lof", "ocsvm"} <= set(left)
    assert not [name for name in left if name.startswith("pyod") or name in ("ecod", "knn")]
    assert "left out" in capsys.readouterr().err


def test_departures_stand_for_each_of_them_and_each_port():
    names = script.departures()
    assert "so-gaal+shuffle" in names
    assert "mo-gaal+own_share" in names
    assert "so-gaal+own_share" not in names
    assert len(names) == len(set(names))
    assert not methods.method(names[-1]).missing


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["gaal"], "no method gaal"),
        (["so-gaal+warp"], "'warp' is no departure"),
        (["lof", "--seeds", "0"], "--seeds is 0"),
        (["lof", "--data", "digits"], "none of these methods"),
    ],
)
def test_wrong_arguments_are_named(capsys, arguments, complaint):
    with pytest.raises(SystemExit):
        script.main(arguments)
    assert complaint in capsys.readouterr().err


def test_missing_data_are_named(tmp_path, capsys):
    output = tmp_path / "out"
    assert script.main(["alocc", "--data", "digits", "--digits", "12", "--output", str(output)])
    assert "digit=12" in capsys.readouterr().err
    assert not output.exists()


def test_a_failing_run_is_an_error_that_names_it_and_the_others_are_made(tmp_path, capsys):
    run = {"set": "synthetic", "data_home": None, "digit": None, "stop_epochs": 1}
    run |= {"data": "synthetic", "settings": "defaults", "alone": False}
    wanted = [{**run, "method": m, "seed": s} for m, s in (("nonsense", 1), ("lof", 0))]
    path = tmp_path / "runs.csv"
    with pytest.raises(ValueError, match="nonsense on synthetic, seed 1: ValueError: there is no"):
        script.collect(path, wanted, 1, 1)
    assert list(pd.read_csv(path)["method"]) == ["lof"]
    assert "1/2 lof on synthetic" in capsys.readouterr().out


@pytest.mark.slow
def test_stop_epochs_may_be_left_to_the_loss_of_ours(tmp_path, capsys):
    arguments = ["--stop_epochs", "auto", "--data", "WDBC", "--output", str(tmp_path)]
    arguments += ["--seeds", "1", "--first-seed", "3"]
    assert script.main(["so-gaal", *arguments]) == 0
    (run,) = pd.read_csv(tmp_path / "runs.csv").to_dict("records")
    X, y = load_dataset("WDBC", return_X_y=True)
    fitted = SOGAAL(stop_epochs="auto", random_state=3).fit(X, y)
    assert (run["settings"], run["seed"]) == ("stop_epochs auto", 3)
    assert run["stop_epochs"] == fitted.stop_epochs_
    assert run["auc"] == pytest.approx(fitted.history_["auc"].iloc[-1], abs=0.05)
    if importlib.util.find_spec("pyod"):
        assert script.main(["pyod-so-gaal", *arguments]) == 2
        assert "stop_epochs='auto' is for so-gaal and mo-gaal" in capsys.readouterr().err


def test_an_asterisk_marks_what_differs_from_as_published():
    rng = np.random.default_rng(0)
    rows = []
    for name, shift in (("so-gaal+", 0), ("so-gaal+shuffle", 0), ("so-gaal+frozen", 1)):
        for seed in range(5):
            facts = {fact: rng.normal(shift, 0.01) for fact in tables.FACTS}
            rows.append({"method": name, "settings": "stop_epochs 1", "seed": seed, **facts})
    lines = tables.departures_table(pd.DataFrame(rows))
    published, shuffle, frozen = lines[2:]
    assert "*" not in published
    assert "*" not in shuffle
    assert frozen.count("*") == len(tables.FACTS)


def made_runs(auc, seeds=2):
    """Make runs of pyod-mo-gaal, both ways up, of mo-gaal and of lof, by set."""
    rows = []
    for data, (as_it_is, ours, lof) in auc.items():
        scores = [("pyod-mo-gaal", "D(x), as it is", as_it_is)]
        scores += [("pyod-mo-gaal", "1 - D(x), turned round", 1 - as_it_is)]
        scores += [("mo-gaal", "1 - D(x)", ours), ("lof", "", lof)]
        rows += [
            {"data": data, "method": m, "score": s, "auc": a, "seed": seed, "seconds": 2.0 + seed}
            for m, s, a in scores
            for seed in range(seeds if m != "lof" else 1)
            if a is not None
        ]
    return pd.DataFrame(rows)


def test_over_several_sets_ranks_are_beside_the_others_as_they_are():
    auc = {"a": (0.1, 0.8, 0.7), "b": (0.6, 0.3, 0.7), "c": (0.2, 0.9, None)}
    lines = tables.over_sets(made_runs(auc))
    row = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines if "|" in line}
    # Rank, on a and b alone: of three, its own twin not counted.
    as_it_is, turned = (
        row[f"PyOD MO_GAAL: {s}"] for s in ("D(x), as it is", "1 - D(x), turned round")
    )
    assert as_it_is == ["0.300", "4 of 6", "2 of 3", "2.5 of 3", "2.5 (3) |"]
    assert turned == ["0.700", "2 of 6", "1 of 3", "1.5 of 3", "2.5 (3) |"]
    assert row["MOGAAL: 1 - D(x)"][:4] == ["0.667", "2 of 6", "1 of 3", "2.0 of 3"]
    assert "Ranks are over the 2 sets on which all have run." in lines
    assert row["c"] == ["0.20", "0.80", "0.90", "not run |"]


def test_cells_of_fewer_runs_say_so():
    runs = made_runs({"a": (0.1, 0.8, 0.7), "b": (0.6, 0.3, 0.7)})
    short = runs[~((runs["data"] == "b") & (runs["method"] == "mo-gaal") & (runs["seed"] == 1))]
    assert "| b | 0.60 | 0.40 | 0.30 (1 of 2 runs) | 0.70 |" in tables.over_sets(short)
