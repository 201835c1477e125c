import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from alocc import plots


@pytest.fixture(autouse=True)
def without_a_display():
    with mpl.rc_context({"backend": "Agg"}):
        yield
        plt.close("all")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 16, 12), dtype=np.uint8)


@pytest.fixture
def history():
    loss = np.linspace(1, 0.1, 12)
    return pd.DataFrame({"epoch": np.repeat([1, 2, 3], 4), "g_loss_reconstruction": loss})


def f1_table(**changes):
    rows = [
        {"target": target, "outlier_share": share, "score": score, "threshold": "best", "f1": f1}
        for target in (0, 1)
        for share in (0.1, 0.5)
        for score, f1 in (("d_rx", 0.7 + 0.1 * target), ("reconstruction", 0.9), ("LOF", 0.8))
    ]
    return pd.DataFrame(rows).assign(**changes)


def everything(images, history):
    noisy = images / 255
    is_outlier = np.arange(7) > 3
    return {
        "loss": lambda ax=None: plots.plot_reconstruction_loss(history, 2, ax=ax),
        "rows": lambda ax=None: plots.plot_reconstructions(images, noisy, noisy, "abcdefg", ax=ax),
        "montage": lambda ax=None: plots.plot_montage(images, ax=ax),
        "scores": lambda ax=None: plots.plot_discriminator_scores(
            noisy[:, 0, 0], noisy[:, 0, 1], is_outlier, ax=ax
        ),
        "flips": lambda ax=None: plots.plot_flips([0.9, 0.2], [3.0, -2.0], 0.95, ax=ax),
        "f1": lambda ax=None: plots.plot_f1_by_outlier_share(f1_table(), ax=ax),
        "map": lambda ax=None: plots.plot_anomaly_map(images[0], noisy[1], ax=ax),
    }


NAMES = ["loss", "rows", "montage", "scores", "flips", "f1", "map"]


@pytest.mark.parametrize("name", NAMES)
def test_returns_the_axes_given_or_new_ones(name, images, history):
    draw = everything(images, history)[name]
    ax = Figure().subplots()
    assert draw(ax) is ax
    assert not plt.get_fignums()
    assert isinstance(draw(), Axes)


@pytest.mark.parametrize("name", NAMES)
def test_is_drawn_with_a_title(name, images, history, tmp_path):
    ax = everything(images, history)[name](Figure().subplots())
    ax.figure.savefig(tmp_path / "figure.png")
    assert ax.get_title()
    if name not in ("rows", "montage"):
        assert ax.get_xlabel()
        assert ax.get_ylabel()


def test_loss_has_a_point_an_update_and_a_mean_an_epoch(history):
    ax = plots.plot_reconstruction_loss(history, epoch=2)
    updates, means = ax.get_lines()
    assert updates.get_xdata()[[3, -1]].tolist() == [1, 3]
    assert means.get_xdata().tolist() == [0.5, 1.5, 2.5]
    expected = history.groupby("epoch").g_loss_reconstruction.mean()
    np.testing.assert_allclose(means.get_ydata(), expected)
    assert "epoch used: 2" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_loss_of_an_epoch_that_was_not_is_an_error(history):
    with pytest.raises(ValueError, match="epoch=9"):
        plots.plot_reconstruction_loss(history, epoch=9)


def test_montage_holds_every_image_where_it_belongs(images):
    grid = plots.plot_montage(images, n_columns=3).get_images()[0].get_array()
    assert grid.shape == (3 * 17 - 1, 3 * 13 - 1)
    np.testing.assert_allclose(grid[17:33, 26:38], images[5] / 255, rtol=1e-6)
    assert (grid[34:, 13:] == 1).all()


def test_montage_takes_colour():
    images = np.random.default_rng(0).random((4, 16, 16, 3))
    grid = plots.plot_montage(images).get_images()[0].get_array()
    assert grid.shape == (33, 33, 3)


@pytest.mark.parametrize("shape", [(16, 16), (2, 16, 16, 4), (0, 16, 16)])
def test_montage_of_what_are_no_images_is_an_error(shape):
    with pytest.raises(ValueError, match=r"images have shape"):
        plots.plot_montage(np.zeros(shape))


def test_rows_are_named_and_must_fit(images):
    ax = plots.plot_reconstructions(images, None, images / 255)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "R(x)"]
    with pytest.raises(ValueError, match=r"R\(x\) has shape"):
        plots.plot_reconstructions(images, None, images[:3] / 255)


def test_scores_count_both_kinds():
    ax = plots.plot_discriminator_scores(np.ones(5), np.zeros(5), np.arange(5) > 1)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["inliers (2)", "outliers (3)"]


def test_logits_are_not_cut_off():
    ax = plots.plot_discriminator_scores(np.arange(5), -np.arange(5), np.arange(5) > 1)
    assert ax.get_ylim()[0] < -4 < 4 < ax.get_ylim()[1]


def test_flipped_epochs_are_shaded_and_turned_round():
    ax = plots.plot_flips([0.9, 0.2, 0.4], [3.0, -2.0, 1.0])
    raw, oriented = (line.get_ydata() for line in ax.get_lines()[1:])
    np.testing.assert_array_equal(raw, [0.9, 0.2, 0.4])
    np.testing.assert_array_equal(oriented, [0.9, 0.8, 0.4])
    (shaded,) = ax.patches
    left = ax.transData.inverted().transform_bbox(shaded.get_extents()).x0
    assert left == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"\(2,\) and centers \(3,\)"):
        plots.plot_flips([0.9, 0.2], [1, 2, 3])


def test_f1_is_averaged_and_has_the_paper_beside_it():
    ax = plots.plot_f1_by_outlier_share(f1_table())
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_allclose(lines["D(R(x))"], [0.75, 0.75])
    np.testing.assert_allclose(lines["D(R(x)), paper"], [0.97, 0.92, 0.92, 0.91, 0.88])
    np.testing.assert_allclose(lines["everything inlier"][[0, -1]], [0.947, 0.667], atol=5e-4)
    assert set(lines) >= {"reconstruction error", "LOF", "D(x), paper"}


def test_f1_of_several_rules_or_unknown_curves_is_an_error():
    mixed = pd.concat([f1_table(), f1_table(threshold="share")])
    with pytest.raises(ValueError, match="choose one"):
        plots.plot_f1_by_outlier_share(mixed)
    with pytest.raises(ValueError, match="paper holds"):
        plots.plot_f1_by_outlier_share(f1_table(), paper=["SVM"])


def test_map_must_fit_its_frame(images):
    with pytest.raises(ValueError, match="anomaly has shape"):
        plots.plot_anomaly_map(images[0], np.zeros((3, 3)))
    plots.plot_anomaly_map(images[0], np.full((16, 12), np.nan))


def test_the_papers_values_are_those_by_which_the_report_judges():
    from reproduction.alocc_figure8 import PAPER_F1

    np.testing.assert_allclose(PAPER_F1["percent"], 100 * np.array(plots.PAPER_OUTLIER_SHARES))
    assert {name: tuple(PAPER_F1[name]) for name in plots.PAPER_F1} == plots.PAPER_F1


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_film_shows_every_map_over_its_frame(tmp_path, suffix):
    frames = np.full((3, 24, 32), 100, np.uint8)
    maps = np.zeros((3, 24, 32))
    maps[1, :12] = 1
    maps[2] = np.nan
    path = tmp_path / f"film{suffix}"
    plots.film_anomaly_maps(frames, maps, path, vmin=0, vmax=1, fps=5)
    assert list(tmp_path.iterdir()) == [path]
    with Image.open(path) as film:
        assert (film.n_frames, film.size) == (3, (32, 24))
        shown = []
        for i in range(3):
            film.seek(i)
            shown.append(np.asarray(film.convert("RGB"), float))
            assert film.info["duration"] == 200
    dark, _, clear = (image.mean(axis=(0, 1)) for image in shown)
    np.testing.assert_allclose(dark, 45, atol=6)  # black over 100 by the share of a map
    np.testing.assert_allclose(clear, 100, atol=6)
    assert (shown[1][:10].mean(axis=(0, 1)) > shown[1][14:].mean(axis=(0, 1)) + 60).all()


def test_a_film_goes_into_an_open_file_and_names_what_it_cannot_write(tmp_path):
    frames = np.zeros((2, 16, 16), np.uint8)
    maps = np.arange(2.0)[:, None, None] * np.ones((16, 16))
    file = io.BytesIO()
    plots.film_anomaly_maps(frames, maps, file)
    assert Image.open(file).format == "WEBP"
    with pytest.raises(ValueError, match=r"film\.mp4"):
        plots.film_anomaly_maps(frames, maps, tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="maps has shape"):
        plots.film_anomaly_maps(frames, maps[:1], file)
    assert not list(tmp_path.iterdir())
