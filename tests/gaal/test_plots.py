import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from gaal import plots
from gaal.datasets import make_onecluster


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def onecluster():
    return make_onecluster(random_state=0)


@pytest.fixture
def history():
    updates = np.arange(50)
    columns = {
        "discriminator_loss": 0.7 - updates / 200,
        "sub_generator0_loss": 0.7 + updates / 100,
        "sub_generator1_loss": 0.7 - updates / 100,
        "generator_loss": 0.7 + updates / 300,
        "auc": updates / 50,
    }
    return pd.DataFrame(columns).rename_axis("update")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def closeness(points):
    return np.exp(-10 * np.sum((points - 0.5) ** 2, axis=1))


def draw_each(onecluster, history):
    X, y = onecluster.data, onecluster.target
    return {
        "training": lambda ax=None: plots.plot_training(history, ax),
        "scatter": lambda ax=None: plots.plot_scatter(X, y, ax),
        "division": lambda ax=None: plots.plot_division(closeness, X, X[:5], y, ax, grid=20),
        "roc": lambda ax=None: plots.plot_roc(y, 1 - closeness(X), ax),
    }


FIGURES = ["training", "scatter", "division", "roc"]


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_drawn_on_the_axes_given(onecluster, history, figure):
    canvas = matplotlib.figure.Figure()
    given = canvas.subplots()
    assert draw_each(onecluster, history)[figure](given) is given
    assert given.get_xlabel()
    assert given.get_ylabel()
    assert plt.get_fignums() == []
    canvas.draw_without_rendering()


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_makes_axes_of_its_own_and_can_be_saved(onecluster, history, figure, tmp_path):
    draw = draw_each(onecluster, history)[figure]
    first, second = draw(), draw()
    assert first.figure is not second.figure
    first.figure.savefig(tmp_path / "figure.png")
    pixels = plt.imread(tmp_path / "figure.png")
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 20


def test_training_has_the_published_colours_and_names(history):
    ax = plots.plot_training(history, stop=20)
    colours = {line.get_label(): line.get_color() for line in ax.lines}
    assert same_color(colours["generator loss"], "tab:red")
    assert same_color(colours["discriminator loss"], "tab:blue")
    assert same_color(colours["sub-generator losses (k = 2)"], "tab:green")
    red, green, blue = matplotlib.colors.to_rgb(colours["AUC"])
    assert red > green > 0.5 > blue
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "loss / AUC")
    assert sorted(legend(ax)) == sorted(
        [
            "generator loss",
            "discriminator loss",
            "sub-generator losses (k = 2)",
            "AUC",
            "generator stops",
        ]
    )
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(drawn["AUC"].get_ydata(), history["auc"])
    np.testing.assert_array_equal(drawn["AUC"].get_xdata(), history.index)
    assert set(drawn["generator stops"].get_xdata()) == {20}


def test_training_of_so_gaal_without_labels_draws_the_two_losses(history):
    ax = plots.plot_training(history[["generator_loss", "discriminator_loss"]])
    assert sorted(legend(ax)) == ["discriminator loss", "generator loss"]
    assert len(ax.lines) == 2


def test_training_names_what_the_history_lacks(history):
    with pytest.raises(ValueError, match="lacks generator_loss"):
        plots.plot_training(history.drop(columns="generator_loss"))
    with pytest.raises(ValueError, match="no rows"):
        plots.plot_training(history[:0])


def test_scatter_tells_outliers_from_inliers(onecluster):
    ax = plots.plot_scatter(onecluster.data, onecluster.target)
    inliers, outliers = ax.collections
    np.testing.assert_array_equal(inliers.get_offsets(), onecluster.data[:980])
    np.testing.assert_array_equal(outliers.get_offsets(), onecluster.data[980:])
    assert not same_color(inliers.get_facecolor()[0], outliers.get_edgecolor()[0])
    assert len(inliers.get_paths()[0]) != len(outliers.get_paths()[0])
    assert legend(ax) == ["inliers", "outliers"]


def test_scatter_takes_published_labels_and_no_labels(onecluster):
    ax = plots.plot_scatter(onecluster.data, onecluster.frame["label"])
    assert [len(c.get_offsets()) for c in ax.collections] == [980, 20]
    ax = plots.plot_scatter(onecluster.data)
    assert [len(c.get_offsets()) for c in ax.collections] == [1000]
    assert legend(ax) == ["data"]


def test_division_asks_for_a_100_by_100_grid_over_the_unit_square(onecluster):
    asked = []

    def score(points):
        asked.append(points)
        return closeness(points)[:, None]  # as a Keras model answers

    ax = plots.plot_division(score, onecluster.data, y=onecluster.target)
    (points,) = asked
    assert len(np.unique(points, axis=0)) == 100 * 100
    assert points.min(axis=0).tolist() == [0, 0]
    assert points.max(axis=0).tolist() == [1, 1]
    assert legend(ax) == ["D(x) = 0.5", "inliers", "outliers"]
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "D(x)"


def test_division_draws_the_line_where_the_score_is_one_half():
    X = np.random.default_rng(0).random((10, 2))
    ax = plots.plot_division(lambda points: points[:, 0], X)
    (line,) = (c for c in ax.collections if list(getattr(c, "levels", [])) == [0.5])
    vertices = np.vstack([path.vertices for path in line.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.5)


def test_division_covers_unscaled_data(onecluster):
    X = 100 * onecluster.data - 20
    ax = plots.plot_division(lambda points: closeness((points + 20) / 100), X, grid=10)
    assert ax.get_xlim()[0] < X[:, 0].min() < X[:, 0].max() < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < X[:, 1].min() < X[:, 1].max() < ax.get_ylim()[1]


def test_division_keeps_a_point_just_outside_the_unit_square_in_view():
    ax = plots.plot_division(closeness, [[0.5, 0.5], [1.0025, 0.77]], grid=10)
    assert ax.get_xlim()[1] > 1.0025
    assert ax.get_ylim() == (0, 1)


def test_division_of_a_constant_score_and_one_point():
    ax = plots.plot_division(lambda points: np.full(len(points), 0.5), [[3.0, 3.0]], grid=5)
    ax.figure.draw_without_rendering()
    assert legend(ax) == ["data"]


def test_division_takes_a_detector_by_its_score_samples(onecluster):
    class Detector:
        def score_samples(self, X):
            return closeness(X)

    X = onecluster.data
    by_detector = plots.plot_division(Detector(), X, grid=10).collections[0]
    by_method = plots.plot_division(Detector().score_samples, X, grid=10).collections[0]
    np.testing.assert_array_equal(by_detector.get_array(), by_method.get_array())


@pytest.mark.parametrize(
    "score",
    [lambda points: np.zeros(3), lambda points: points, lambda points: points[:, 0] * np.nan],
)
def test_division_refuses_scores_that_are_not_one_number_a_point(score):
    with pytest.raises(ValueError, match="one finite number a point"):
        plots.plot_division(score, np.zeros((2, 2)), grid=4)


def test_division_refuses_what_cannot_score_and_a_grid_of_one():
    with pytest.raises(TypeError, match="expected a callable"):
        plots.plot_division(None, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="grid=1"):
        plots.plot_division(closeness, np.zeros((2, 2)), grid=1)


def test_roc_has_the_area_in_the_legend_and_can_be_drawn_over():
    ax = plots.plot_roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert legend(ax) == ["AUC = 0.7500"]
    plots.plot_roc(["nor", "nor", "out", "out"], [1, 2, 3, 4], ax, label="SO-GAAL")
    assert legend(ax) == ["AUC = 0.7500", "SO-GAAL, AUC = 1.0000"]
    assert len(ax.lines) == 3  # two curves, one diagonal


@pytest.mark.parametrize(
    ("y_true", "scores", "message"),
    [
        ([0, 0], [0.1, 0.2], "only inliers"),
        ([1, 1], [0.1, 0.2], "only outliers"),
        ([0, 1], [0.1, np.nan], "outlier_scores contains NaN"),
        ([0, 1, 1], [0.1, 0.2], "inconsistent"),
        ([0, 2], [0.1, 0.2], "y_true holds the labels 0, 2"),
    ],
)
def test_roc_refuses_what_has_no_curve(y_true, scores, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_roc(y_true, scores)


@pytest.mark.parametrize(
    "X", [np.zeros(4), np.zeros((4, 1)), np.zeros((4, 3)), np.zeros((2, 2, 2))]
)
def test_points_must_be_two_dimensional(X):
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        plots.plot_scatter(X)
    with pytest.raises(ValueError, match=r"X has the shape .* expected \(n, 2\)"):
        plots.plot_division(closeness, X)
    with pytest.raises(ValueError, match=r"generated has the shape"):
        plots.plot_division(closeness, np.zeros((3, 2)), generated=X)


def test_bad_points_and_labels_open_no_figure():
    with pytest.raises(ValueError, match="NaN"):
        plots.plot_scatter([[0.0, np.nan]])
    with pytest.raises(ValueError, match="y holds the labels 'maybe'"):
        plots.plot_scatter([[0.0, 1.0]], ["maybe"])
    with pytest.raises(ValueError, match="inconsistent"):
        plots.plot_scatter([[0.0, 1.0]], [0, 1])
    assert plt.get_fignums() == []
