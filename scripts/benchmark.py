"""Time this package by turns against PyOD's port, its own slow door, and growing data.

Every comparison alternates between its sides in one run and reports medians and their ratio.
PyOD is the extra "compare"; without it its rows are left out, and said to be.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.metadata
import importlib.util
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import importing_tensorflow


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return time.perf_counter() - start


def by_turns(sides: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Time the sides one after the other, again and again."""
    times = {name: [] for name in sides}
    for _ in range(turns):
        for name, work in sides.items():
            times[name].append(seconds(work))
    return times


def onecluster():
    """1000 x 2 rows in [0, 1], and their labels."""
    from gaal import datasets

    data = datasets.make_onecluster(random_state=0)
    return data.data.astype("float32"), data.target


PORTS = """
import contextlib, importlib.metadata, io, json, os, statistics, sys, time
os.environ["OMP_NUM_THREADS"] = "1"
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
import torch
torch.set_num_threads(1)
from pyod.models.mo_gaal import MO_GAAL
from pyod.models.so_gaal import SO_GAAL
from gaal import MOGAAL, SOGAAL, datasets
from gaal_alocc import programs

def seconds(work):
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return time.perf_counter() - start

turns, epochs = int(sys.argv[1]), [int(e) for e in sys.argv[2].split(",")]
port = f"PyOD {importlib.metadata.version('pyod')}_s"
data = {
    "WDBC": datasets.load_dataset("WDBC"),
    "onecluster": datasets.make_onecluster(random_state=0),
}
for name, bunch in data.items():
    X, y = bunch.data.astype("float32"), bunch.target
    for ours, theirs in ((SOGAAL, SO_GAAL), (MOGAAL, MO_GAAL)):
        for stop in epochs:
            # Their epochs take one time: of a long fit 100 are measured.
            shown = min(stop, 100)
            note = "PyOD's time extrapolated from stop_epochs 20 and 100" if stop > shown else ""
            times = {"first": [], "later": [], "theirs": [], "short": []}
            for seed in range(turns):
                programs.clear()
                detector = ours(stop_epochs=stop, random_state=seed)
                for side in ("first", "later"):
                    times[side].append(seconds(lambda: detector.fit(X, y)))
                times["theirs"].append(seconds(lambda: theirs(stop_epochs=shown).fit(X)))
                if stop > shown:
                    times["short"].append(seconds(lambda: theirs(stop_epochs=20).fit(X)))
            t = {side: statistics.median(values) for side, values in times.items() if values}
            if stop > shown:
                t["theirs"] += (stop - shown) * (t["theirs"] - t["short"]) / (shown - 20)
            print(json.dumps({
                "figure": f"{ours.__name__}, {name}, stop_epochs={stop}: whole fit",
                "first_s": t["first"],
                "later_s": t["later"],
                port: t["theirs"],
                "first_ratio": t["theirs"] / t["first"],
                "ratio": t["theirs"] / t["later"],
                "later_to_first": t["later"] / t["first"],
                "goal": "later fits faster",
                "note": note,
            }), flush=True)
"""


def ports(turns: int, stop_epochs: str) -> list[dict]:
    """Compare the first and the later fits of a process with PyOD's, on one thread each."""
    if importlib.util.find_spec("pyod") is None:
        print("PyOD is not installed (extra: compare): no comparison with it", file=sys.stderr)
        return []
    lines = in_a_process(PORTS, str(turns), stop_epochs).splitlines()
    return [json.loads(line) for line in lines]


def scores(turns: int) -> list[dict]:
    """Compare scoring with PyOD's, which computes in float32, and ALOCC's with the bare models."""
    import numpy as np

    from alocc import ALOCC
    from gaal import SOGAAL

    rows = []
    rng = np.random.default_rng(0)
    X = rng.random((1_000_000, 20), dtype=np.float32)
    detector = SOGAAL(1, epochs=1, random_state=0).fit(X[:2000])
    port = None
    if importlib.util.find_spec("pyod") is not None:
        from pyod.models.so_gaal import SO_GAAL

        with contextlib.redirect_stdout(io.StringIO()):
            port = SO_GAAL(stop_epochs=1).fit(X[:2000])
    for n in (1, 1000, 100_000, 1_000_000):
        block, repeat = X[:n], max(1, min(100, 100_000 // n))

        def again(score, block=block, repeat=repeat):
            for _ in range(repeat):
                score(block)

        sides = {"ours": lambda again=again: again(detector.score_samples)}
        if port is not None:
            sides["PyOD"] = lambda again=again: again(port.decision_function)
        again(detector.score_samples)
        times = by_turns(sides, turns)
        t = {side: 1000 * statistics.median(v) / repeat for side, v in times.items()}
        row = {"figure": f"SO-GAAL of 2000 x 20: {n} rows scored", "ours_ms": t["ours"]}
        if port is not None:
            row |= {"PyOD_ms": t["PyOD"], "to_PyOD": t["ours"] / t["PyOD"]}
        rows.append({**row, "goal": {1: "0.5 ms", 1000: "0.7 ms"}.get(n, "within twice PyOD")})

    images = rng.random((2000, 28, 28), dtype=np.float32)
    fitted = ALOCC(epochs=1, random_state=0).fit(images[:128])
    for n in (1, 128, 2000):
        part = images[:n]

        def directly(part=part):
            fitted.generator_(part[..., None], training=False).numpy()

        sides = {"ours": lambda part=part: fitted.score_samples(part), "model": directly}
        by_turns(sides, 1)
        times = by_turns(sides, max(turns, 5))
        t = {side: 1000 * statistics.median(v) for side, v in times.items()}
        rows.append(
            {
                "figure": f"ALOCC, 28 x 28: {n} images scored by reconstruction",
                "ours_ms": t["ours"],
                "model_called_ms": t["model"],
                "to_model": t["ours"] / t["model"],
                "goal": "5 ms" if n == 1 else "within 1.2 of the model",
            }
        )
    return rows


def ensemble(turns: int) -> list[dict]:
    """Time GAALEnsemble's default fit beside IsolationForest's and PyOD's GAALs, and scoring."""
    import numpy as np
    from sklearn.ensemble import IsolationForest

    from gaal import GAALEnsemble
    from gaal.datasets import load_dataset

    X = load_dataset("WDBC").data
    sides = {
        "ours": lambda: GAALEnsemble(random_state=0).fit(X),
        "IsolationForest": lambda: IsolationForest(random_state=0).fit(X),
    }
    if importlib.util.find_spec("pyod") is not None:
        from pyod.models.mo_gaal import MO_GAAL
        from pyod.models.so_gaal import SO_GAAL

        sides |= {"PyOD_SO": lambda: SO_GAAL().fit(X), "PyOD_MO": lambda: MO_GAAL().fit(X)}
    first = seconds(sides["ours"])
    times = {f"{side}_s": statistics.median(t) for side, t in by_turns(sides, turns).items()}
    figure = "GAALEnsemble: a default fit on WDBC, after the first"
    rows = [{"figure": figure, **times, "first_s": first, "goal": "1 s"}]
    Z = np.random.default_rng(0).random((100_000, 20))
    detector = GAALEnsemble(random_state=0).fit(Z[:1000])
    forest = IsolationForest(random_state=0).fit(Z[:1000])
    for n, goal in ((1, "2 ms"), (1000, ""), (100_000, "500 ms")):
        sides = {
            "ours": lambda n=n: detector.score_samples(Z[:n]),
            "IsolationForest": lambda n=n: forest.score_samples(Z[:n]),
        }
        by_turns(sides, 1)
        times = by_turns(sides, max(turns, 5))
        times = {f"{side}_ms": 1000 * statistics.median(t) for side, t in times.items()}
        rows.append(
            {"figure": f"GAALEnsemble of 1000 x 20: {n} rows scored", **times, "goal": goal}
        )
    return rows


KEPT = """
import gc, json, os
import numpy as np
from alocc import ALOCC
from gaal import MOGAAL, SOGAAL, training

def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

rng = np.random.default_rng(0)
X, images = rng.random((60, 3), np.float32), rng.random((8, 16, 16), np.float32)
shapes = [rng.random((100 + n, 3), np.float32) for n in range(100)]
small = dict(epochs=1, batch_size=4, gf_dim=1, df_dim=1)
fits = {
    "SO-GAAL": lambda i: SOGAAL(2, random_state=i).fit(X).score_samples(X),
    "SO-GAAL by train_on_batch": lambda i: SOGAAL(2, steps_per_execution=1, random_state=i).fit(X),
    "MO-GAAL": lambda i: MOGAAL(3, stop_epochs=2, random_state=i).fit(X).score_samples(X),
    "SO-GAAL by XLA": lambda i: SOGAAL(400, random_state=i).fit(X),
    "ALOCC": lambda i: ALOCC(random_state=i, **small).fit(images).score_samples(images),
}
for name, fit in fits.items():
    for i in range(10):
        fit(i)
    before = resident()
    for i in range(300):
        fit(i)
    print(json.dumps({
        "figure": f"{name}: memory kept by 300 fits of one shape",
        "ours_MB": resident() - before,
        "goal": "< 30",
    }))
for i in range(30):
    SOGAAL(2).fit(shapes[i])
before = resident()
for i in range(30, 100):
    SOGAAL(2).fit(shapes[i])
print(json.dumps({
    "figure": "SO-GAAL: memory kept by 70 shapes, after 30 others",
    "ours_MB": resident() - before,
    "goal": "bounded",
}))
"""


def kept() -> list[dict]:
    """Memory that fits leave behind, in a process of its own."""
    if not Path("/proc/self/statm").exists():
        print("memory is measured on Linux only", file=sys.stderr)
        return []
    return [json.loads(line) for line in in_a_process(KEPT).splitlines()]


def doors(turns: int) -> list[dict]:
    """Compare an update through the graph with one through train_on_batch."""
    from gaal import MOGAAL, SOGAAL

    X, y = onecluster()
    rows = []
    for name, detector in [
        ("SO-GAAL", SOGAAL(1000, random_state=0)),
        ("MO-GAAL k=10", MOGAAL(10, stop_epochs=1000, random_state=0)),
    ]:
        # The difference of a long and a short fit leaves out building and compiling.
        per_update = {}
        lengths = {"auto": (2000, 4000), 1: (50, 300)}
        sides = {
            (door, epochs): lambda door=door, epochs=epochs, detector=detector: detector.set_params(
                steps_per_execution=door, epochs=epochs
            ).fit(X, y)
            for door, pair in lengths.items()
            for epochs in pair
        }
        times = {side: statistics.median(t) for side, t in by_turns(sides, turns).items()}
        for door, (short, long) in lengths.items():
            spent = times[door, long] - times[door, short]
            per_update[door] = spent / (2 * (long - short)) * 1000
        rows.append(
            {
                "figure": f"{name}, 1000 x 2: one update",
                "graph_ms": per_update["auto"],
                "train_on_batch_ms": per_update[1],
                "ratio": per_update[1] / per_update["auto"],
                "goal": ">= 10",
            }
        )
    return rows


def first_fit(turns: int) -> list[dict]:
    """From the call to the scores on WDBC, stop_epochs=20."""
    from gaal import MOGAAL, SOGAAL, datasets

    X, y = datasets.load_dataset("WDBC", return_X_y=True)
    sides = {
        "SO-GAAL": lambda: SOGAAL(stop_epochs=20).fit(X, y).score_samples(X),
        "MO-GAAL": lambda: MOGAAL(stop_epochs=20).fit(X, y).score_samples(X),
    }
    return [
        {
            "figure": f"{name}, WDBC, stop_epochs=20: fit and score",
            "first_s": times[0],
            "ours_s": statistics.median(times),
            "goal": "< 3 s",
        }
        for name, times in by_turns(sides, turns).items()
    ]


def growth(turns: int) -> list[dict]:
    """Compare an epoch of SO-GAAL on 1,000 to 100,000 rows of 20 features.

    Twice: as a share of a whole fit of 60 epochs (the default), and without its start, as the
    difference of a long and a short fit.
    """
    import numpy as np

    from gaal import SOGAAL

    sides, lengths = {}, {}
    for n, (short, long) in {1000: (2000, 4000), 10_000: (200, 400), 100_000: (20, 40)}.items():
        X = np.random.default_rng(0).random((n, 20), dtype=np.float32)
        y = (np.arange(n) % 20 == 0).astype(int)
        lengths[n] = (short, long)
        for epochs in (60, short, long):
            sides[n, epochs] = lambda X=X, y=y, epochs=epochs: SOGAAL(
                epochs=epochs, random_state=0
            ).fit(X, y)
    times = {side: statistics.median(t) for side, t in by_turns(sides, turns).items()}
    fit = {n: times[n, 60] / 60 for n in lengths}
    alone = {n: (times[n, b] - times[n, a]) / (b - a) for n, (a, b) in lengths.items()}
    return [
        {
            "figure": f"SO-GAAL, {n} x 20: one epoch",
            "of_a_60_epoch_fit_ms": 1000 * fit[n],
            "ratio": fit[n] / fit[1000],
            "without_the_start_ms": 1000 * alone[n],
            "ratio_without_the_start": alone[n] / alone[1000],
            "goal": f"<= {n // 1000}",
        }
        for n in lengths
    ]


def mo_growth(turns: int) -> list[dict]:
    """Compare an epoch of MO-GAAL on 1,000 to 100,000 rows, with all quantiles and sampled ones.

    Without the start, as the difference of a long and a short fit.
    """
    import numpy as np

    from gaal import MOGAAL

    lengths = {1000: (250, 500), 10_000: (10, 20), 100_000: (1, 2)}
    sides = {}
    for n, pair in lengths.items():
        X = np.random.default_rng(0).random((n, 20), dtype=np.float32)
        for size in (None, 1000):
            for epochs in pair:
                sides[n, size, epochs] = lambda X=X, size=size, epochs=epochs: MOGAAL(
                    epochs=epochs, quantile_sample_size=size, random_state=0
                ).fit(X)
    times = {side: statistics.median(t) for side, t in by_turns(sides, turns).items()}
    alone = {
        (n, size): (times[n, size, long] - times[n, size, short]) / (long - short)
        for n, (short, long) in lengths.items()
        for size in (None, 1000)
    }
    return [
        {
            "figure": f"MO-GAAL k=10, {n} x 20: one epoch",
            "all_rows_ms": 1000 * alone[n, None],
            "sample_of_1000_ms": 1000 * alone[n, 1000],
            "growth_all_rows": alone[n, None] / alone[1000, None],
            "growth_sample": alone[n, 1000] / alone[1000, 1000],
            "goal": "",
        }
        for n in lengths
    ]


def quantiles(turns: int, data_home: str | None) -> list[dict]:
    """Train MO-GAAL as published with quantiles of all rows and of samples; a seed a turn."""
    from gaal import MOGAAL
    from gaal.datasets import PUBLISHED, load_dataset

    rows = []
    for name in ("Annthyroid", "PageBlocks"):
        X, y = load_dataset(name, data_home=data_home, return_X_y=True)
        sizes = (None, 1000, 500, 100)
        auc = {size: [] for size in sizes}
        times = {size: [] for size in sizes}
        for seed in range(1, turns + 1):
            for size in sizes:
                detector = MOGAAL(
                    stop_epochs=PUBLISHED[name].mo_stop_epochs,
                    quantile_sample_size=size,
                    random_state=seed,
                )
                times[size].append(seconds(functools.partial(detector.fit, X, y)))
                auc[size].append(float(detector.history_["auc"].iloc[-1]))
        for size in sizes:
            rows.append(
                {
                    "figure": f"MO-GAAL k=10, {name}, quantiles of {size or 'all'} rows: fit",
                    "ours_s": statistics.median(times[size]),
                    "ratio": statistics.median(
                        mine / whole for mine, whole in zip(times[size], times[None])
                    ),
                    "auc_mean": statistics.mean(auc[size]),
                    "auc": auc[size],
                    "goal": "",
                }
            )
    return rows


PEAK = """
import sys
import numpy as np, tensorflow as tf, keras
from gaal import SOGAAL
SOGAAL(1, epochs=1).fit(np.random.default_rng(0).random((1000, 20), dtype=np.float32))
def peak():  # not ru_maxrss, in which Linux counts the parent process too
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
before = peak()
n = int(sys.argv[1])
X = np.random.default_rng(0).random((n, 20), dtype=np.float32)
y = (np.arange(n) % 20 == 0).astype(int)
detector = SOGAAL(1, epochs=1).fit(X, y)
detector.score_samples(X)
print(peak() - before)
"""

STREAM = """
import sys, time
import numpy as np
from gaal import SOGAAL
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
small = np.random.default_rng(0).random((20_000, 20), dtype=np.float32)
detector = SOGAAL(1, epochs=1).fit(small)
detector.score_samples(small)
before = peak()
start = time.perf_counter()
scores = detector.score_samples(sys.argv[1])
print(len(scores), time.perf_counter() - start, peak() - before)
"""


def memory(n: int) -> list[dict]:
    """Peak memory of an epoch and the scores, above a small fit's, in a process of its own."""
    if not Path("/proc/self/status").exists():
        print("memory is measured on Linux only", file=sys.stderr)
        return []
    return [
        {
            "figure": f"SO-GAAL, {n} x 20 float32: peak memory above TensorFlow's",
            "ours_MB": float(in_a_process(PEAK, str(n))),
            "goal": "< 1500",
        }
    ]


def in_a_process(program: str, *arguments: str) -> str:
    """Run a program in a process of its own and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return result.stdout


def parquet(n: int) -> list[dict]:
    """Score n x 20 rows of a Parquet file, written for the purpose, in a process of its own."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    group, rng = 100_000, np.random.default_rng(0)
    schema = pa.schema([(f"x{i}", pa.float32()) for i in range(20)])
    with tempfile.TemporaryDirectory() as folder:
        needed, free = 150 * n, shutil.disk_usage(folder).free
        if free < needed:
            print(f"{folder} has {free} bytes free, {n} rows need {needed}", file=sys.stderr)
            return []
        path = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, n, group):
                part = rng.random((min(group, n - start), 20), dtype=np.float32)
                writer.write_table(pa.table(list(part.T), schema=schema))
        scored, spent, megabytes = map(float, in_a_process(STREAM, str(path)).split())
    return [
        {
            "figure": f"SO-GAAL, {scored:.0f} x 20 rows scored from Parquet",
            "peak_MB_above_a_small_fit": megabytes,
            "rows_per_s": scored / spent,
            "ours_s": spent,
            "goal": "< 1000 MB",
        }
    ]


def alocc(turns: int, n_updates: int = 8) -> list[dict]:
    """Compare ALOCC's graph door with a hand-written graph and with the plain transcription."""
    import numpy as np
    import tensorflow as tf

    from alocc import networks, training

    batch_size, shape, rng = 128, (28, 28, 1), np.random.default_rng(0)
    x = rng.random((n_updates, batch_size, *shape), dtype=np.float32)
    z = np.clip(x + rng.normal(0, 0.155, x.shape), 0, 1).astype(np.float32)
    ones = np.ones((batch_size, 1), np.float32)

    def build():
        models = networks.combine(
            networks.build_generator(shape, seed=0), networks.build_discriminator(shape, seed=0)
        )
        networks.compile_models(models)
        return models

    def plain():
        models = build()

        def epoch():
            for real, noisy in zip(x, z):
                fake = models.generator.predict(noisy, verbose=0)
                models.discriminator.train_on_batch(real, ones)
                models.discriminator.train_on_batch(fake, 0 * ones)
                for _ in range(2):
                    models.adversarial_model.train_on_batch(noisy, [real, ones])

        return epoch

    def hand_written():
        models = build()
        R, D, optimizer = models.generator, models.discriminator, models.discriminator.optimizer

        def cross_entropy(y, p):
            p = tf.clip_by_value(p, 1e-7, 1 - 1e-7)
            return -tf.reduce_mean(y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))

        def step(loss, variables):
            with tf.GradientTape() as tape:
                value = loss()
            optimizer.apply(tape.gradient(value, variables), variables)
            return value

        @tf.function
        def graph(x, z):
            losses = tf.TensorArray(tf.float32, tf.shape(x)[0])
            for i in tf.range(tf.shape(x)[0]):
                fake = R(z[i], training=False)
                real_loss = step(
                    lambda i=i: cross_entropy(ones, D(x[i], training=True)), D.trainable_variables
                )
                fake_loss = step(
                    lambda fake=fake: cross_entropy(0 * ones, D(fake, training=True)),
                    D.trainable_variables,
                )

                def adversarial(i=i):
                    reconstruction = R(z[i], training=True)
                    validity = cross_entropy(ones, D(reconstruction, training=True))
                    return 0.2 * cross_entropy(x[i], reconstruction) + validity

                for _ in range(2):
                    total = step(adversarial, R.trainable_variables)
                losses = losses.write(i, tf.stack([real_loss, fake_loss, total]))
            return losses.stack()

        return lambda: graph(x, z).numpy()

    door = training.fused(build(), batch_size)
    sides = {"ours": lambda: door(x, z).numpy(), "hand": hand_written(), "plain": plain()}
    by_turns(sides, 1)  # traces and first calls
    times = by_turns(sides, 3 * turns)
    ratio = {
        name: statistics.median(other / mine for other, mine in zip(times[name], times["ours"]))
        for name in ("hand", "plain")
    }
    return [
        {
            "figure": "ALOCC, 28 x 28, batch 128: one update",
            "graph_ms": 1000 * statistics.median(times["ours"]) / n_updates,
            "hand_written_ms": 1000 * statistics.median(times["hand"]) / n_updates,
            "plain_ms": 1000 * statistics.median(times["plain"]) / n_updates,
            "ours_to_hand_written": 1 / ratio["hand"],
            "plain_to_ours": ratio["plain"],
            "goal": "<= 1.1, > 1",
        }
    ]


def distribution(turns: int) -> list[dict]:
    """Compare an update on one device, two logical ones and two processes on this machine.

    All share the machine's cores, so that nothing can become faster: what is measured is the
    cost of dividing, and how much of it is communication.
    """
    script = Path(__file__).parent / "benchmarking" / "distribution_worker.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [str(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    sides = {
        "1 device": [[]],
        "2 logical devices": [["--devices", "2"]],
        "2 processes": [["--worker", str(i), "--ports", *ports] for i in range(2)],
    }
    measured = {}
    for side, processes in sides.items():
        running = [
            subprocess.Popen(
                [sys.executable, script, "--turns", str(turns), *arguments],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for arguments in processes
        ]
        outputs = [process.communicate()[0] for process in running]
        if any(process.returncode for process in running):
            raise RuntimeError(f"the processes that time {side} failed")
        measured[side] = json.loads(outputs[0].splitlines()[-1])
    rows = []
    for side, algorithms in measured.items():
        for name, row in algorithms.items():
            alone = measured["1 device"][name]["update_s"]
            sent = 1000 * row.get("communication_s", 0)
            rows.append(
                {
                    "figure": f"{name}, {side}: one update",
                    "update_ms": 1000 * row["update_s"],
                    "communication_ms": sent,
                    "updates_a_second": 1 / row["update_s"],
                    "throughput_of_one_device": alone / row["update_s"],
                    "messages": row["messages"] if sent else 0,
                    "kB_sent": row["bytes"] / 1000 if sent else 0.0,
                    "goal": "none: to know",
                }
            )
    return rows


def main(argv: list[str] | None = None) -> int:
    """Run the chosen figures, print a table, write the JSON."""
    figures = {
        "ports": lambda args: ports(args.turns, args.stop_epochs),
        "scores": lambda args: scores(args.turns),
        "ensemble": lambda args: ensemble(args.turns),
        "kept": lambda args: kept(),
        "doors": lambda args: doors(args.turns),
        "first_fit": lambda args: first_fit(args.turns),
        "growth": lambda args: growth(args.turns),
        "mo_growth": lambda args: mo_growth(args.turns),
        "quantiles": lambda args: quantiles(args.turns, args.data_home),
        "memory": lambda args: memory(args.rows),
        "parquet": lambda args: parquet(10 * args.rows),
        "alocc": lambda args: alocc(args.turns),
        "distribution": lambda args: distribution(args.turns),
    }
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(figures))
    parser.add_argument("--turns", type=int, default=3, help="times each side runs")
    parser.add_argument(
        "--stop-epochs", default="20,200,1000", metavar="N,...", help="of the fits against PyOD"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=1_000_000,
        help="of the memory figure; ten times as many are scored from Parquet",
    )
    parser.add_argument(
        "--data-home", type=os.path.expanduser, help="folder of the published files"
    )
    parser.add_argument("--json", type=gaal_alocc.cli.path, default=Path("reports/benchmark.json"))
    args = parser.parse_args(argv)
    unknown = set(args.figures) - set(figures)
    if unknown:
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(figures)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with importing_tensorflow():
        pass
    warnings.filterwarnings("ignore", category=UserWarning)

    args.json.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in args.figures or figures:
        for row in figures[name](args):
            rows.append(row)
            values = ", ".join(
                f"{key} {value:.3g}" for key, value in row.items() if isinstance(value, float)
            )
            note = f" [{row['note']}]" if row.get("note") else ""
            goal = f"  (goal {row['goal']})" if row["goal"] else ""
            print(f"{row['figure']:<58} {values}{goal}{note}", flush=True)
        text = json.dumps(rows, indent=1) + "\n"
        write_aside(args.json, lambda aside, text=text: aside.write_text(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
