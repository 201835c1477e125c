"""The run manager: settings, the table that grows, other processes, the command lines."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning

import gaal_alocc.sweep as module
from gaal_alocc import cli
from gaal_alocc.sweep import Range, draw_settings, parse_space, plot_sweep, sweep, varied

DATA = np.random.default_rng(0).random((40, 2))
FOREST = IsolationForest(n_estimators=3, max_samples=8)
SETTINGS = [{"n_estimators": 2}, {"n_estimators": 4}]


def forest_run():
    """A run; nested, so that it travels to other processes by value."""

    def run(forest, X):
        return {"mean": forest.fit(X).score_samples(X).mean()}

    return run


def forest_sweep(
    path, settings=SETTINGS, seeds=(0, 1), run=None, data=DATA, measures=("mean",), **options
):
    run = forest_run() if run is None else run
    return sweep(FOREST, settings, seeds, run, data, path, measures=measures, **options)


def by_run(table):
    return table.sort_values(["n_estimators", "seed"]).set_index(["n_estimators", "seed"])


class TestSettings:
    def test_values_are_read_as_what_they_are(self):
        forest = IsolationForest()
        space = parse_space(
            [
                "n_estimators=10,20",
                "max_samples=auto,0.5,1e-1",
                "n_jobs=none,-1",
                "bootstrap=0,true",
            ],
            forest,
        )
        assert space == {
            "n_estimators": [10, 20],
            "max_samples": ["auto", 0.5, 0.1],
            "n_jobs": [None, -1],
            "bootstrap": [False, True],
        }
        space = parse_space(["max_samples=0.1..1", "n_estimators=log:1..1000"], forest)
        assert space == {"max_samples": Range(0.1, 1), "n_estimators": Range(1, 1000, log=True)}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("trees=3", "no parameter 'trees' to sweep; it has bootstrap, contamination"),
            ("random_state=1,2", "no parameter 'random_state'"),
            ("n_estimators", "expected name=value"),
            ("n_estimators=", "expected name=value"),
            ("n_estimators=1,,2", "expected name=value"),
            ("n_estimators=5..5", "the lower one first"),
            ("max_samples=a..b", "expected two numbers"),
            ("max_samples=log:0..1", "above 0"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, text, message):
        with pytest.raises(ValueError, match=message):
            parse_space([text], IsolationForest())
        with pytest.raises(ValueError, match="given twice"):
            parse_space(["n_jobs=1", "n_jobs=2"], IsolationForest())

    def test_a_grid_is_every_combination_once(self):
        settings = draw_settings({"a": [1, 2, 2], "b": ["x", None]})
        assert len(settings) == 4
        assert {(s["a"], s["b"]) for s in settings} == {(a, b) for a in (1, 2) for b in ("x", None)}
        assert draw_settings({}) == [{}]

    def test_draws_lie_in_their_ranges_and_come_from_the_seed(self):
        space = {"n": Range(1, 3), "rate": Range(0.001, 0.1, log=True), "w": ["a", "b"]}
        settings = draw_settings(space, 200, seed=4)
        assert draw_settings(space, 200, seed=4) == settings
        assert draw_settings(space, 50, seed=4) == settings[:50]
        assert draw_settings(space, 200, seed=5) != settings
        assert {type(s["n"]) for s in settings} == {int}
        assert {s["n"] for s in settings} == {1, 2, 3}
        rates = np.array([s["rate"] for s in settings])
        assert rates.min() >= 0.001
        assert rates.max() <= 0.1
        assert 0.35 < np.mean(rates < 0.01) < 0.65  # half of them below the geometric middle
        assert {s["w"] for s in settings} == {"a", "b"}
        whole = draw_settings({"n": Range(1, 1000, log=True)}, 50)
        assert all(isinstance(s["n"], int) for s in whole)

    def test_lists_alone_are_drawn_without_repetition(self):
        assert len(draw_settings({"a": [1, 2, 3], "b": [1, 2]}, 4)) == 4
        assert len(draw_settings({"a": [1, 2, 3], "b": [1, 2]}, 100)) == 6

    def test_a_range_takes_a_number_of_draws(self):
        with pytest.raises(ValueError, match="rate is a range"):
            draw_settings({"rate": Range(0, 1)})
        with pytest.raises(ValueError, match="draws is 0"):
            draw_settings({"a": [1]}, 0)

    def test_seeds_are_a_number_or_a_list(self):
        assert cli.seeds("3") == [0, 1, 2]
        assert cli.seeds("3,7") == [3, 7]
        assert cli.seeds("7,") == [7]
        assert cli.seeds("10..12") == [10, 11, 12]
        for text in ("0", "-1", "a", "5..4", "1,b", ","):
            with pytest.raises(Exception, match="neither a number of seeds"):
                cli.seeds(text)


class TestTable:
    def test_holds_a_row_a_run_with_all_parameters(self, tmp_path):
        table = forest_sweep(tmp_path / "new" / "sweep.csv")
        assert table.columns.tolist() == [
            *[name for name in FOREST.get_params() if name not in ("random_state", "verbose")],
            *["seed", "mean", "seconds", "error", "data"],
        ]
        assert len(table) == 4
        assert set(table["max_samples"]) == {8}
        for row in table.itertuples():
            forest = IsolationForest(
                n_estimators=row.n_estimators, max_samples=8, random_state=row.seed
            )
            assert row.mean == forest.fit(DATA).score_samples(DATA).mean()
        assert table["error"].isna().all()
        assert (table["seconds"] > 0).all()

    def test_finished_runs_are_not_run_again(self, tmp_path):
        ran = []

        def run(forest, X):
            ran.append((forest.n_estimators, forest.random_state))
            return {"mean": 1.0}

        path = tmp_path / "sweep.csv"
        first = forest_sweep(path, run=run)
        assert sorted(ran) == [(2, 0), (2, 1), (4, 0), (4, 1)]
        again = forest_sweep(path, run=run)
        assert len(ran) == 4
        pd.testing.assert_frame_equal(first, again)
        more = forest_sweep(path, [*SETTINGS, {"n_estimators": 6}], seeds=[1, 2], run=run)
        assert sorted(ran[4:]) == [(2, 2), (4, 2), (6, 1), (6, 2)]
        assert len(more) == 8

    def test_half_a_row_is_run_again(self, tmp_path):
        path = tmp_path / "sweep.csv"
        whole = forest_sweep(path, seeds=[0])
        written = path.read_bytes()
        header = written.index(b"\n") + 1
        last = written.rindex(b"\n", 0, -1) + 1
        ends = [0, 1, header - 1, header, header + 1, last - 1, last, last + 1, len(written) - 1]
        for end in ends:
            path.write_bytes(written[:end])
            table = forest_sweep(path, seeds=[0])
            pd.testing.assert_frame_equal(
                by_run(table).drop(columns="seconds"), by_run(whole).drop(columns="seconds")
            )

    def test_a_row_deleted_by_hand_is_run_again_though_its_line_stays(self, tmp_path):
        path = tmp_path / "sweep.csv"
        whole = forest_sweep(path)
        header, first, _, *others = path.read_text().splitlines()
        for left in (["", header, "", first, *others, ""], ["", ""]):
            path.write_text("\n".join([*left, ""]))
            table = forest_sweep(path)
            pd.testing.assert_frame_equal(
                by_run(table).drop(columns="seconds"), by_run(whole).drop(columns="seconds")
            )

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_row_of_another_length_is_told_by_its_line(self, change, tmp_path):
        path = tmp_path / "sweep.csv"
        n = forest_sweep(path).shape[1]
        lines = path.read_text().splitlines()
        lines[2:3] = ["", lines[2].rpartition(",")[0] if change < 0 else f"{lines[2]},"]
        path.write_text("\n".join([*lines, ""]))
        message = rf"sweep\.csv, line 4: the row has {n + change} values; expected {n}\."
        with pytest.raises(ValueError, match=message):
            forest_sweep(path)

    def test_a_failed_run_is_a_row(self, tmp_path):
        def run(forest, X):
            if forest.n_estimators == 2:
                raise ValueError("no\ngood, 'really'")
            if forest.random_state == 1:
                import warnings

                warnings.warn("diverged", ConvergenceWarning, stacklevel=1)
            return {"mean": 0.5}

        table = by_run(forest_sweep(tmp_path / "sweep.csv", run=run))
        assert table.loc[2, "error"].tolist() == ["ValueError: no good, 'really'"] * 2
        assert table.loc[2, "mean"].isna().all()
        assert table.loc[(4, 1), "error"] == "ConvergenceWarning: diverged"
        assert table.loc[(4, 0), "mean"] == 0.5

    def test_other_data_settings_and_columns_are_refused(self, tmp_path):
        path = tmp_path / "sweep.csv"
        forest_sweep(path)
        written = path.read_bytes()
        with pytest.raises(ValueError, match="holds runs with data="):
            forest_sweep(path, data=DATA + 1e-9)
        other = IsolationForest(n_estimators=3, max_samples=9)
        with pytest.raises(ValueError, match=r"max_samples=8, these have max_samples=9.*sweep it"):
            sweep(other, SETTINGS, [0], forest_run(), DATA, path, measures=["mean"])
        with pytest.raises(ValueError, match=r"other columns \(mean, median\)"):
            sweep(FOREST, SETTINGS, [0], forest_run(), DATA, path, measures=["median"])
        assert path.read_bytes() == written
        forest_sweep(path, [{"max_samples": 8}, {"max_samples": 9, "n_estimators": 2}], seeds=[5])

    @pytest.mark.parametrize(
        ("setting", "message"),
        [({"trees": 3}, "Invalid parameter 'trees'"), ({"n_estimators": 0}, "n_estimators")],
    )
    def test_all_settings_are_checked_before_the_first_run(self, setting, message, tmp_path):
        def run(forest, X):
            raise AssertionError

        with pytest.raises(ValueError, match=message):
            forest_sweep(tmp_path / "sweep.csv", [*SETTINGS, setting], run=run)
        with pytest.raises(ValueError, match="nothing to run"):
            forest_sweep(tmp_path / "sweep.csv", seeds=[], run=run)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("output", ["file/sweep.csv", "file/new/sweep.csv", "folder"])
    def test_a_table_that_cannot_be_written_is_told_before_the_first_run(self, output, tmp_path):
        def run(forest, X):
            (tmp_path / "ran").touch()
            return {"mean": 1.0}

        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
        with pytest.raises(OSError, match=rf"{output} cannot be written: (Not|Is) a directory"):
            forest_sweep(tmp_path / output, run=run)
        assert sorted(os.listdir(tmp_path)) == ["file", "folder"]

    def test_a_full_disk_is_told_before_the_first_run(self, tmp_path, full_disk):
        def run(forest, X):
            (tmp_path / "ran").touch()
            return {"mean": 1.0}

        with full_disk(10), pytest.raises(OSError, match=r"sweep\.csv cannot be written: "):
            forest_sweep(tmp_path / "sweep.csv", run=run)
        assert not (tmp_path / "ran").exists()
        assert len(forest_sweep(tmp_path / "sweep.csv", run=run)) == 4

    def test_a_second_sweep_is_refused_while_the_first_runs(self, tmp_path):
        path = tmp_path / "sweep.csv"

        def run(forest, X):
            with pytest.raises(OSError, match=rf"^{path} is being written by another sweep"):
                forest_sweep(path)
            forest_sweep(tmp_path / "other.csv")
            return {"mean": 1.0}

        table = forest_sweep(path, run=run)
        assert table["error"].isna().all()
        assert len(table) == 4
        assert len(forest_sweep(path, seeds=[2])) == 6

    @pytest.mark.parametrize("error", [None, OSError(errno.ENOLCK, "No locks available")])
    def test_without_locks_it_goes_without(self, error, tmp_path, monkeypatch):
        if error is None:
            monkeypatch.setattr(module, "fcntl", None)
        else:
            monkeypatch.setattr(module.fcntl, "flock", Mock(side_effect=error))
        assert len(forest_sweep(tmp_path / "sweep.csv")) == 4

    @pytest.mark.slow
    def test_a_killed_sweep_s_workers_hold_no_table(self, tmp_path):
        """SIGKILL, while two workers are in a run and go on with it."""
        program = """
            import os, sys, time
            import numpy as np
            from sklearn.ensemble import IsolationForest
            from gaal_alocc.sweep import sweep
            path = sys.argv[1]
            def run(forest, X):
                open(f"{path}.{os.getpid()}", "w").close()
                time.sleep(60)
            forest, X = IsolationForest(n_estimators=3, max_samples=8), np.load(path + ".npy")
            settings = [{"n_estimators": 2}, {"n_estimators": 4}]
            sweep(forest, settings, [0, 1], run, X, path, measures=["mean"], jobs=2)
        """
        path = tmp_path / "sweep.csv"
        np.save(f"{path}.npy", DATA)
        command = [sys.executable, "-c", textwrap.dedent(program), path]
        with subprocess.Popen(command) as process:
            while len(workers := list(tmp_path.glob("sweep.csv.[0-9]*"))) < 2:
                assert process.poll() is None
                time.sleep(0.05)
            with pytest.raises(OSError, match="another sweep"):
                forest_sweep(path)
            process.kill()
        try:
            assert len(forest_sweep(path)) == 4
        finally:
            for worker in workers:
                os.kill(int(worker.suffix[1:]), signal.SIGKILL)

    @pytest.mark.slow
    def test_a_sweep_killed_at_any_moment_goes_on(self, tmp_path):
        """SIGKILL, ten times at random moments."""
        program = """
            import os, time, sys
            import numpy as np
            from sklearn.ensemble import IsolationForest
            from gaal_alocc.sweep import sweep
            def run(forest, X):
                time.sleep(0.02)
                return {"mean": forest.fit(X).score_samples(X).mean()}
            X = np.random.default_rng(0).random((80, 2))
            settings = [{"max_samples": n} for n in range(1, 61)]
            forest = IsolationForest(n_estimators=1)
            for line in sys.stdin:  # each sweep in a process of its own, the imports done
                child = os.fork()
                if not child:
                    sweep(forest, settings, [0, 1], run, X, line.strip(), measures=["mean"])
                    os._exit(0)
                print(child, flush=True)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        rng = np.random.default_rng(1)
        path, kills = tmp_path / "sweep.csv", 0
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        with subprocess.Popen(command, **pipes) as process:

            def start(path):
                process.stdin.write(f"{path}\n")
                return int(process.stdout.readline())

            def status():
                return int(process.stdout.readline())

            while kills < 10:
                child = start(path)
                time.sleep(rng.uniform(0, 0.25))
                with contextlib.suppress(ProcessLookupError):  # it has ended
                    os.kill(child, signal.SIGKILL)
                kills += status() == -signal.SIGKILL
            before = path.read_bytes()
            for whole in (path, tmp_path / "whole.csv"):
                start(whole)
                assert status() == 0
        assert path.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
        killed, whole = (
            pd.read_csv(tmp_path / name).sort_values(["max_samples", "seed"], ignore_index=True)
            for name in ("sweep.csv", "whole.csv")
        )
        assert len(killed) == 120
        pd.testing.assert_frame_equal(killed.drop(columns="seconds"), whole.drop(columns="seconds"))


class TestProcesses:
    @pytest.mark.slow
    def test_the_table_does_not_depend_on_jobs_and_each_gets_its_share_of_the_cores(
        self, tmp_path, monkeypatch
    ):
        import joblib

        measures = ["mean", "threads"]
        monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)

        def run(forest, X):
            mean = forest.fit(X).score_samples(X).mean()
            return {"mean": mean, "threads": int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))}

        one, two = (
            by_run(forest_sweep(tmp_path / f"{jobs}.csv", run=run, jobs=jobs, measures=measures))
            for jobs in (1, 2)
        )
        assert set(two["threads"]) == {max(1, joblib.cpu_count() // 2)}
        assert "TF_NUM_INTRAOP_THREADS" not in os.environ
        own = ["seconds", "threads"]
        pd.testing.assert_frame_equal(one.drop(columns=own), two.drop(columns=own))

    @pytest.mark.slow
    def test_a_dead_worker_costs_no_finished_run(self, tmp_path):
        marker = tmp_path / "died"

        def run(forest, X):
            if forest.random_state == 3 and not marker.exists():
                marker.touch()
                os._exit(1)
            return {"mean": 1.0}

        path = tmp_path / "sweep.csv"
        with pytest.raises(ChildProcessError, match="A worker died"):
            forest_sweep(path, seeds=range(4), run=run, jobs=2)
        assert marker.exists()
        assert len(forest_sweep(path, seeds=range(4), run=run, jobs=2)) == 8

    @pytest.mark.slow
    def test_dask_workers_run_it(self, tmp_path):
        distributed = pytest.importorskip("distributed")
        one = by_run(forest_sweep(tmp_path / "1.csv"))
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with distributed.LocalCluster(**options) as cluster:

            def run(forest, X):
                distributed.get_worker()  # raises anywhere else
                return {"mean": forest.fit(X).score_samples(X).mean()}

            many = forest_sweep(tmp_path / "2.csv", run=run, dask=cluster.scheduler_address)
        pd.testing.assert_frame_equal(
            one.drop(columns="seconds"), by_run(many).drop(columns="seconds")
        )

    def test_dask_workers_with_threads_are_refused(self, tmp_path):
        distributed = pytest.importorskip("distributed")
        options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
        with (
            distributed.LocalCluster(processes=False, protocol="tcp", **options) as cluster,
            pytest.raises(ValueError, match="--nthreads 1"),
        ):
            forest_sweep(tmp_path / "sweep.csv", dask=cluster.scheduler_address)
        assert not (tmp_path / "sweep.csv").exists()

    def test_dask_left_out_names_its_extra(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ImportError, match=r"gaal-alocc\[cluster\]"):
            forest_sweep(tmp_path / "sweep.csv", dask="tcp://127.0.0.1:1")


class TestPlot:
    def results(self, n_rates, seeds=2):
        rows = [
            {"rate": 10.0**-i, "mode": mode, "same": None, "seed": seed, "auc": i + seed}
            for i in range(n_rates)
            for mode in ("a", "b")
            for seed in range(seeds)
        ]
        return pd.DataFrame(rows)

    def test_shows_every_run_and_the_medians(self):
        results = self.results(3)
        assert varied(results, ["rate", "mode", "same"]) == ["rate", "mode"]
        rate, mode = plot_sweep(results, ["rate", "mode"], "auc").axes
        assert [label.get_text() for label in rate.get_xticklabels()] == ["0.01", "0.1", "1.0"]
        (points,) = rate.lines
        assert sorted(points.get_ydata()) == sorted(results["auc"])
        segments = rate.collections[0].get_segments()
        assert [(s[:, 0].mean().round(), s[0, 1]) for s in segments] == [
            (0, 2.5),
            (1, 1.5),
            (2, 0.5),
        ]
        assert mode.get_xlabel() == "mode"

    def test_many_numbers_stand_on_an_axis_of_numbers(self):
        (ax,) = plot_sweep(self.results(20), ["rate"], "auc").axes
        assert ax.get_xscale() == "log"
        assert ax.lines[0].get_xdata().max() == 1

    def test_without_parameters_it_shows_the_seeds_and_failed_runs_leave_gaps(self):
        results = self.results(1, seeds=3)
        results.loc[results["seed"] == 1, "auc"] = np.nan
        (ax,) = plot_sweep(results, [], "auc").axes
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "2"]
        results["auc"] = np.nan
        (ax,) = plot_sweep(results, [], "auc").axes
        assert not ax.lines or not len(ax.lines[0].get_ydata())


@pytest.fixture
def points(tmp_path):
    from gaal.datasets import make_onecluster

    data = make_onecluster(60, 6, random_state=0)
    data.frame.to_csv(tmp_path / "points", header=False, index=False)
    return tmp_path / "points", data


class TestCommandLines:
    def test_so_gaal_sweeps_over_its_parameters(self, points, tmp_path, capsys):
        from gaal import SOGAAL
        from gaal.cli import so_gaal

        path, data = points
        out = tmp_path / "out"
        flags = f"sweep --path {path} --grid stop_epochs=1,2 --lr_d 0.05 --seeds 3,7 --output {out}"
        assert so_gaal(flags.split()) == 0
        printed = capsys.readouterr().out
        assert "2 settings with 2 seeds" in printed
        assert "auc_end median" in printed
        table = pd.read_csv(out / "sweep.csv")
        assert len(table) == 4
        assert set(table["lr_d"]) == {0.05}
        assert table["error"].isna().all()
        for row in table.itertuples():
            detector = SOGAAL(stop_epochs=row.stop_epochs, lr_d=0.05, random_state=row.seed)
            auc = detector.fit(data.data, data.target).history_["auc"]
            # One batch an epoch: the generator's last update is number stop_epochs.
            expected = (auc.iloc[-1], auc[row.stop_epochs], auc.max(), auc.idxmax())
            measured = (row.auc_end, row.auc_stop, row.auc_best, row.update_best)
            assert measured == pytest.approx(expected, abs=1e-6)
        assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(file.name for file in out.iterdir()) == ["sweep.csv", "sweep.png"]
        before = (out / "sweep.csv").read_bytes()
        assert so_gaal([*flags.split(), "--quiet"]) == 0
        assert capsys.readouterr().out == f"4 runs in {out / 'sweep.csv'}\n"
        assert (out / "sweep.csv").read_bytes() == before

    def test_mo_gaal_keeps_failed_runs(self, points, tmp_path, capsys):
        from gaal.cli import mo_gaal

        flags = f"sweep --path {points[0]} --grid k=2,11 --stop_epochs 1 --seeds 1 --quiet"
        assert mo_gaal([*flags.split(), "--output", str(tmp_path / "out")]) == 0
        assert "1 of them failed, the first with ValueError: k=11" in capsys.readouterr().out
        table = pd.read_csv(tmp_path / "out" / "sweep.csv").set_index("k")
        assert table["auc_end"].notna().to_dict() == {2: True, 11: False}

    @pytest.mark.slow
    def test_alocc_sweeps_on_images(self, tmp_path, capsys):
        from alocc.cli import main

        flags = "sweep --dataset digits --epoch 1 --train_size 32 --gf_dim 2 --df_dim 2 --quiet"
        flags += f" --grid batch_size=16 --seeds 1 --output {tmp_path / 'out'}"
        assert main(flags.split()) == 0, capsys.readouterr().err
        (row,) = pd.read_csv(tmp_path / "out" / "sweep.csv").to_dict("records")
        assert (row["epochs"], row["batch_size"], row["seed"], row["epoch_used"]) == (1, 16, 0, 0)
        aucs = [row["auc_reconstruction"], row["auc_d_x"], row["auc_d_rx"]]
        assert all(0 <= auc <= 1 for auc in aucs)
        assert row["reconstruction_loss"] > 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("--grid epoch=3", "no parameter 'epoch' to sweep; it has batch_size"),
            ("--grid lr_d=-1,0.1", "'lr_d'"),
            ("--grid lr_d=0.1..1", "lr_d is a range"),
            ("--dask tcp://127.0.0.1:9", "no scheduler with workers"),
            ("--output {points}/out", "points/out/sweep.csv cannot be written: Not a directory"),
        ],
    )
    @pytest.mark.filterwarnings("ignore")
    def test_errors_are_one_line_and_leave_nothing(
        self, arguments, message, points, tmp_path, capsys, monkeypatch
    ):
        from gaal.cli import so_gaal

        if "dask" in arguments:
            distributed = pytest.importorskip("distributed")
            client = distributed.Client
            monkeypatch.setattr(
                distributed,
                "Client",
                lambda *a, **options: client(*a, **options | {"timeout": 0.2}),
            )
        arguments = arguments.format(points=points[0])
        arguments = f"sweep --path {points[0]} --quiet --output {tmp_path / 'out'} {arguments}"
        assert so_gaal(arguments.split()) == 2
        err = capsys.readouterr().err
        assert err.startswith("so-gaal sweep: ")
        assert message in err
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("program", ["so_gaal", "mo_gaal"])
    def test_help_says_what_labels_are_for(self, program, capsys):
        import gaal.cli

        with pytest.raises(SystemExit):
            getattr(gaal.cli, program)(["sweep", "--help"])
        out = " ".join(capsys.readouterr().out.split())
        assert "labels are used for nothing else" in out
        assert "--grid" in out
        assert ("--k " in out) == (program == "mo_gaal")
