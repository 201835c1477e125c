"""The benchmark: rows divided as ADBench does, cells that are kept or fail alone, their tables."""

import dataclasses
import json
from pathlib import Path

import adbench
import numpy as np
import pandas as pd
import pytest
from common import cells
from ranking import detectors, protocol, runs, tables
from sklearn.model_selection import train_test_split

SCRIPTS = Path(adbench.__file__).parent
WAYS = """
import time
import numpy as np

class Plain:
    def __init__(self, random_state=None, slow=0, wrong=False):
        self.random_state, self.slow, self.wrong = random_state, slow, wrong

    def fit(self, X):
        time.sleep(self.slow)
        if self.wrong:
            raise ValueError("it cannot be done")
        self.middle = X.mean(axis=0)
        return self

    def score_samples(self, X):
        noise = np.random.default_rng(self.random_state).random(len(X))
        return -((X - self.middle) ** 2).sum(axis=1) + 0.1 * noise

class Dies(Plain):
    def fit(self, X):
        import os
        os._exit(3)
"""


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """Put the detectors of ``WAYS`` into the table in place of what is there."""
    (tmp_path / "ways").mkdir()
    (tmp_path / "ways" / "ways.py").write_text(WAYS)
    monkeypatch.syspath_prepend(tmp_path / "ways")
    table = {
        "plain": detectors.Detector("ways", "Plain", seeds=2),
        "slow": detectors.Detector("ways", "Plain", {"slow": 60}),
        "wrong": detectors.Detector("ways", "Plain", {"wrong": True}, turned=True),
        "dies": detectors.Detector("ways", "Dies"),
        "port": detectors.Detector("ways", "Plain", turned=True),
    }
    monkeypatch.setattr(detectors, "DETECTORS", table)
    return table


def set_of(n, n_outliers=30, d=3):
    rng = np.random.default_rng(0)
    y = np.zeros(n, int)
    y[rng.choice(n, n_outliers, replace=False)] = 1
    return rng.normal(size=(n, d)) * [1, 10, 100] + 3 * y[:, None], y


# The rows


@pytest.mark.parametrize("n", [240, 1500, 12_000])
def test_rows_are_those_that_adbench_draws(n):
    """As its DataGenerator: numpy's own generator seeded, rows drawn, and divided by it."""
    X, y = set_of(n)
    np.random.seed(2)  # noqa: NPY002
    if n < 1000:
        rows = np.random.choice(np.arange(n), 1000, replace=True)  # noqa: NPY002
    elif n > 10_000:
        rows = np.random.choice(np.arange(n), 10_000, replace=False)  # noqa: NPY002
    else:
        rows = np.arange(n)
    train, test, y_train, y_test = train_test_split(
        X[rows], y[rows], test_size=0.3, shuffle=True, stratify=y[rows]
    )
    parts = protocol.divide(X, y, seed=2)
    low, high = train.min(axis=0), train.max(axis=0)
    np.testing.assert_allclose(parts.X_train, (train - low) / (high - low), atol=1e-12)
    np.testing.assert_allclose(parts.X_test, (test - low) / (high - low), atol=1e-12)
    np.testing.assert_array_equal(parts.y_train, y_train)
    np.testing.assert_array_equal(parts.y_test, y_test)


@pytest.mark.parametrize(
    ("how", "n", "used"),
    [("distinct", 240, 240), ("distinct", 12_000, 10_000), ("whole", 12_000, 12_000)],
)
def test_without_drawing_up_no_row_is_in_both_parts(how, n, used):
    X, y = set_of(n)
    parts = protocol.divide(X, y, 1, how)
    assert len(parts.y_train) == round(0.7 * used)
    assert len(parts.y_test) == round(0.3 * used)
    assert parts.y_test.sum() == pytest.approx(0.3 * y.mean() * used, abs=1)
    rows = np.vstack([parts.X_train, parts.X_test])
    assert len(np.unique(rows, axis=0)) == used


def test_drawn_up_rows_are_in_both_parts():
    parts = protocol.divide(*set_of(240), seed=1)
    trained = {row.tobytes() for row in parts.X_train}
    assert sum(row.tobytes() in trained for row in parts.X_test) > 200


def test_the_sets_that_need_no_file_are_what_they_are_said_to_be():
    sizes = {}
    for name in protocol.SHIPPED:
        X, y = protocol.load(name, None, offline=True)
        sizes[name] = (*X.shape, int(y.sum()))
    assert sizes == {"WDBC": (367, 30, 10), "wine": (129, 13, 10), "digits": (188, 64, 10)}


def test_the_kind_of_a_set_is_told_by_its_labels():
    rng = np.random.default_rng(0)
    inliers = rng.random((200, 2))
    far = np.vstack([inliers, [[9, 9], [9, 9.1], [9.1, 9]]])
    told = protocol.describe(far, np.repeat([0, 1], [200, 3]))
    assert (told["rows"], told["features"]) == (203, 2)
    assert told["outliers"] == pytest.approx(3 / 203)
    assert told["clustered"] == 1
    assert told["distance"] > 50
    among = protocol.describe(inliers, np.arange(200) % 40 == 0)
    assert among["clustered"] < 0.3
    assert 0.3 < among["distance"] < 3


# Cells


def lay_out(table, names, seeds=(1,), data=("WDBC",)):
    return runs.cells(data, {n: table[n] for n in names}, seeds, ["published"], None, True)


def test_cells_are_seeded_as_their_rows_or_by_seeds_of_their_own(plain):
    laid_out = lay_out(plain, ["plain", "port"], seeds=(1, 3))
    assert [(c["detector"], c["seed"], c["random_state"]) for c in laid_out] == [
        ("plain", 1, 0), ("plain", 1, 1), ("port", 1, 1),
        ("plain", 3, 0), ("plain", 3, 1), ("port", 3, 3),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_cell_that_fails_costs_itself_alone_and_says_why(plain, tmp_path):
    some = lay_out(plain, ["slow", "wrong", "dies", "plain", "port"])
    table = runs.collect(tmp_path / "cells.csv", some, 1, 0.5, retry=False)
    errors = dict(zip(table["detector"], table["error"]))
    assert errors["slow"] == "longer than 0.5 s"
    assert errors["wrong"] == "ValueError: it cannot be done"
    assert errors["wrong" + detectors.TURNED] == errors["wrong"]
    assert errors["dies"]
    assert errors["plain"] == ""
    good = table[table["detector"] == "plain"]
    assert len(good) == 2
    assert (good["auc"] > 0.85).all()
    assert good["auc"].nunique() == 2
    assert table.loc[table["error"] != "", "auc"].isna().all()
    # A port is scored both ways.
    ways = table[table["detector"].str.startswith("port")]
    assert ways["detector"].tolist() == ["port", "port, turned round"]
    assert ways["auc"].sum() == pytest.approx(1)
    assert ways["average_precision"].iloc[0] > ways["average_precision"].iloc[1]


@pytest.mark.slow
def test_what_is_done_is_kept_and_only_what_failed_is_run_again(plain, tmp_path, capsys):
    path = tmp_path / "cells.csv"
    names = ["wrong", "plain"]
    first = runs.collect(path, lay_out(plain, names), 2, None, retry=False)
    kept = path.read_bytes()
    again = runs.collect(path, lay_out(plain, names), 2, None, retry=False)
    assert "3 of 3 are there already" in capsys.readouterr().out
    assert path.read_bytes() == kept
    pd.testing.assert_frame_equal(first, again)
    plain["wrong"] = plain["port"]  # mended
    mended = runs.collect(path, lay_out(plain, names), 1, None, retry=True)
    assert "2 of 3 are there" in capsys.readouterr().out
    assert (mended["error"] == "").all()
    assert len(mended) == 4
    part = runs.collect(path, lay_out(plain, ["plain"]), 1, None, retry=False)
    assert part["detector"].tolist() == ["plain"] * 2


@pytest.mark.slow
def test_a_cell_of_other_settings_is_another_cell(plain, tmp_path):
    path = tmp_path / "cells.csv"
    first = runs.collect(path, lay_out(plain, ["plain"]), 1, None, retry=False)
    assert json.loads(first["settings"].iloc[0]) == {"slow": 0, "wrong": False}
    plain["plain"] = dataclasses.replace(plain["plain"], parameters={"wrong": True})
    second = runs.collect(path, lay_out(plain, ["plain"]), 1, None, retry=False)
    assert (second["error"] == "ValueError: it cannot be done").all()
    both = runs.read(path)
    assert len(both) == 4
    pd.testing.assert_frame_equal(both[both["error"] == ""].reset_index(drop=True), first)


def test_settings_are_the_same_whatever_order_a_version_has_them_in():
    names = list(json.loads(detectors.DETECTORS["IsolationForest"].settings))
    assert names == sorted(names) != []


@pytest.mark.slow
def test_no_process_is_left_behind(plain, tmp_path):
    started = []

    class Watched(cells.Worker):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self.process)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "Worker", Watched)
        runs.collect(tmp_path / "cells.csv", lay_out(plain, ["plain"]), 2, None, retry=False)
    assert started
    assert all(process.poll() is not None for process in started)


@pytest.mark.slow
def test_cells_are_spread_over_a_cluster(plain, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    from common.processes import cluster

    monkeypatch.setenv("PYTHONPATH", f"{SCRIPTS}:{SCRIPTS.parent}:{tmp_path / 'ways'}")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as some,
        cluster(some.scheduler_address),
    ):
        laid_out = lay_out(plain, ["plain", "wrong"])
        table = runs.collect(tmp_path / "cells.csv", laid_out, 1, None, retry=False)
    assert sorted(table["error"]) == ["", "", *["ValueError: it cannot be done"] * 2]


# Tables


def made(auc, protocol="published", seed=1, trainings=1):
    """Cells of detectors, a list of AUC over sets each; None for one that failed."""
    return pd.DataFrame(
        {"detector": name, "data": f"{i}_set", "protocol": protocol, "seed": seed,
         "random_state": own, "auc": np.nan if value is None else value, "average_precision": 0.5,
         "fit_s": 2.0, "score_s": 1.0, "memory_mb": np.nan,
         "error": "longer than 9 s" if value is None else ""}
        for name, values in auc.items() for i, value in enumerate(values)
        for own in range(trainings)
    )  # fmt: skip


def divided(*cells):
    """Cells as the tables take them, of sets that are told apart by all that is told of them."""
    names = sorted({name for own in cells for name in own["data"]})
    like = {kind: [float(name.split("_")[0]) for name in names] for kind in tables.KINDS}
    return tables.by_division(pd.concat(cells), pd.DataFrame(like, names))


def test_holm_adjusts_as_in_the_textbook():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(tables.holm(p), [0.03, 0.06, 0.06, 0.02])


def test_a_division_has_the_mean_of_its_trainings_or_no_score():
    cells = made({"a": [0.9, 0.8]}, trainings=2)
    cells["auc"] = [0.9, 0.7, 0.8, np.nan]
    table = divided(cells)
    assert table["auc"].iloc[0] == pytest.approx(0.8)
    assert table["auc_sd"].iloc[0] == pytest.approx(0.1414, abs=1e-4)
    assert np.isnan(table["auc"].iloc[1])
    assert table["trainings"].tolist() == [2, 2]


def test_what_is_compared_is_of_the_same_divisions():
    both, one = made({"a": [0.9, 0.8], "b": [0.5, 0.5]}), made({"a": [0.1], "c": [0.3]}, seed=2)
    kept = tables.alike(divided(both, one))
    assert set(kept.loc[kept["data"] == "1_set", "seed"]) == {1}
    assert kept[kept["data"] == "0_set"].empty  # b and c have no division in common
    kept = tables.alike(divided(both, made({"a": [0.1]}, seed=2)))
    assert tables.by_set(kept).loc["0_set"].tolist() == [0.9, 0.5]


def test_ranks_are_shared_by_ties_and_of_the_sets_that_all_have():
    scores = {"a": [0.9, 0.8, 0.7], "b": [0.9, 0.7, 0.8], "c": [0.1, None, None]}
    scores = tables.by_set(divided(made(scores)))
    assert scores["c"].isna().tolist() == [False, True, True]
    whole = tables.ranked(scores)
    assert list(whole) == ["a", "b"]  # c has too few
    assert tables.ranks(whole)["a"].tolist() == [1.5, 1, 2]
    most = {"a": [0.9] * 10, "b": [*[0.8] * 9, None]}
    assert len(tables.ranked(tables.by_set(divided(made(most))))) == 9


def test_what_does_not_differ_is_joined_by_a_bar():
    pairs = pd.Series({("a", "b"): 0.5, ("a", "c"): 0.01, ("b", "c"): 0.3, ("c", "d"): 0.001,
                       ("a", "d"): 0.001, ("b", "d"): 0.001})  # fmt: skip
    assert tables.cliques(pairs, list("abcd")) == [(0, 1), (1, 2)]


@pytest.mark.slow
def test_a_detector_that_is_always_better_differs():
    rng = np.random.default_rng(0)
    worse = rng.uniform(0.4, 0.8, 12)
    scores = tables.by_set(divided(made({"worse": worse, "better": worse + 0.1, "same": worse})))
    p = tables.pairs(scores)
    assert p["worse", "better"] < 0.01
    assert p["worse", "same"] == 1
    figure = tables.draw(scores)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {"better  1.00", "worse  2.50", "2.50  same"}


def test_kinds_of_sets_are_told_beside_what_is_the_right_way_up():
    base = np.random.default_rng(0).uniform(0.5, 0.8, 12)
    scores = {"kNN": base, "LOF": base**2, "SOGAAL": np.sqrt(base)}
    with_port = divided(made({**scores, "PyOD SO_GAAL": 1 - base}))
    assert tables.kinds(with_port) == tables.kinds(divided(made(scores)))


@pytest.mark.slow
def test_the_page_says_who_differs_and_what_is_missing(tmp_path, capsys):
    base = np.random.default_rng(0).uniform(0.5, 0.8, 12)
    scores = {"kNN": base + 0.1, "LOF": base - 0.2, "SOGAAL": base, "PCA": [*base[:-1], None]}
    parts = [made(scores), made({"HBOS": [0.5]}), made({"kNN": base - 0.1}, "distinct")]
    whole = made({"IsolationForest": [0.7, None]}, "whole")
    divided(*parts, whole.assign(memory_mb=321.0)).to_csv(tmp_path / "page.csv", index=False)
    page = tmp_path / "page.md"
    page.write_text(adbench.PAGE.format(command="the command", figure="page_ranks.png"))
    assert adbench.main(["--page", str(page)]) == 0
    text = page.read_text()
    assert (tmp_path / "page_ranks.png").stat().st_size > 0
    assert "Made by `the command`" in text
    assert "4 detectors on the 11 sets that they all have (so not 11)" in text
    assert "kNN before LOF" in text
    assert "| HBOS | 1 of 12 |  |" in text
    assert "- HBOS; on 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11: not run" in text
    assert "- PCA; on 11: failed: longer than 9 s" in text
    assert "- SOGAAL; on 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11: 1 of 5 seeds" in text
    assert f"| kNN | {base.mean() + 0.1:.3f} | {base.mean() - 0.1:.3f} | -0.20 to -0.20 |" in text
    assert "| 0_set | 0 x 0 | IsolationForest | 0.700 | 0.500 | 2 | 1.0 | 321 |" in text
    assert adbench.main(["--page", str(tmp_path / "other.md")]) == 2
    assert "other.md" in capsys.readouterr().err


def test_the_published_page_is_made_of_the_published_table():
    docs = SCRIPTS.parent / "docs"
    page = (docs / "adbench.md").read_text()
    assert page == tables.fill(page, runs.read(docs / "adbench.csv"))


# The command


@pytest.mark.slow
def test_the_command_writes_tables_and_keeps_cells(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    options = ["WDBC", "wine", "--seeds", "1", "--output", str(tmp_path / "out"), "--offline"]
    few = "LOF: n_neighbors=3"
    options += ["--detectors", "LOF", few]
    assert adbench.main(options) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "adbench.csv", "adbench.md", "cells.csv",
    ]  # fmt: skip
    table = pd.read_csv(tmp_path / "out" / "adbench.csv")
    assert table["data"].tolist() == ["WDBC", "WDBC", "wine", "wine"]
    assert table["auc"].between(0.4, 1).all()
    assert table["rows"].tolist() == [367, 367, 129, 129]
    assert table["detector"].tolist() == ["LOF", few] * 2
    assert table["auc"].nunique() == 4
    settings = pd.read_csv(tmp_path / "out" / "cells.csv")["settings"].map(json.loads)
    assert [(s["n_neighbors"], s["novelty"]) for s in settings] == [(20, True), (3, True)] * 2
    assert adbench.main(options) == 0
    assert "4 of 4 are there already" in capsys.readouterr().out
    (tmp_path / "out" / "adbench.csv").unlink()
    (tmp_path / "out" / "adbench.csv").mkdir()
    assert adbench.main(options) == 2
    assert "adbench: [Errno" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--detectors", "forest"], "no detector forest; expected some of GAALEnsemble"),
        (["--detectors", "LOF: 5"], "LOF: 5: expected name=value, ... after the colon"),
        (["--detectors", "LOF: n=x"], "LOF: n=x: expected name=value, ... after the colon"),
        (["--limit", "0"], "--limit is 0.0; expected more than 0"),
        (["--jobs", "0"], "--jobs is 0; expected more than 0"),
        (["--protocol", "mine"], "invalid choice: 'mine'"),
    ],
)
def test_wrong_options_are_refused(options, message, capsys):
    with pytest.raises(SystemExit):
        adbench.main(options)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "message"),
    [(["10_covers"], "name='10_covers' is no data set"), (["45"], "45_wine is not at hand")],
)
def test_a_set_that_is_none_or_not_at_hand_is_named(names, message, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    options = ["--offline", "--output", str(tmp_path), "--detectors", "IsolationForest"]
    assert adbench.main([*names, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_set_is_downloaded_once_or_it_is_said_why_not(tmp_path, monkeypatch):
    (tmp_path / "served").mkdir()
    url = (tmp_path / "served").as_uri() + "/{name}.npz"
    monkeypatch.setattr("gaal.adbench.ADBENCH_URL", url)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    served = tmp_path / "served" / "45_wine.npz"
    np.savez(served, X=np.random.default_rng(0).random((129, 13)), y=np.arange(129) < 10)
    assert adbench.chosen_sets(["45"], False, None, offline=False) == ["45_wine"]
    served.unlink()
    assert adbench.chosen_sets(["45"], False, None, offline=True) == ["45_wine"]
    with pytest.raises(OSError, match="Could not download the data set 4_breastw from file:"):
        adbench.chosen_sets(["4"], False, None, offline=False)
