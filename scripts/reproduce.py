"""Train SO-GAAL and MO-GAAL as published and write curves and a report into reports/.

Without arguments it needs no download: WDBC is rebuilt from scikit-learn and onecluster is a
synthetic look-alike. With --data-home it reads the published files.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

REPORTS = Path(__file__).resolve().parent.parent / "reports"
# (algorithm, data set); the settings are datasets.PUBLISHED's
RUNS = [
    ("SO-GAAL", "WDBC"),
    ("MO-GAAL", "WDBC"),
    ("SO-GAAL", "onecluster"),
    ("MO-GAAL", "onecluster"),
]
PROTOCOL = """\
The AUC is the published protocol's: measured on the training data, its labels used for
nothing else. It does not tell how the detector does on new data. Runs differ much from seed to
seed: the published SO-GAAL program ends anywhere between 0.24 and 0.98 on onecluster
(ten seeds), after passing 0.999 in each."""


def write(path: Path, save) -> None:
    """Write a file aside by ``save(path)``, then rename it."""
    aside = path.with_name(f".unfinished-{path.name}")
    try:
        save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def run(algorithm: str, name: str, data, seed: int, output: Path) -> dict:
    """Train one detector with the published parameters, draw its figures, return its row."""
    import numpy as np
    from matplotlib.figure import Figure

    from gaal import MOGAAL, SOGAAL, datasets, plots, training

    published = datasets.PUBLISHED[name]
    if algorithm == "SO-GAAL":
        parameters = {"stop_epochs": published.so_stop_epochs}
        detector = SOGAAL(**parameters, random_state=seed, verbose=1)
    else:
        parameters = {"stop_epochs": published.mo_stop_epochs, "k": published.k}
        detector = MOGAAL(**parameters, random_state=seed, verbose=1)
    print(f"{algorithm} on {name}, {' '.join(data.source.split())}", flush=True)
    start = time.perf_counter()
    detector.fit(data.data, data.target)
    seconds = time.perf_counter() - start

    history = detector.history_
    n = len(data.data)
    batches = n // min(detector.batch_size, n)
    kind = {"SO-GAAL": training.SO_GAAL, "MO-GAAL": training.MO_GAAL}[algorithm]
    stop = kind.active_updates(
        detector.stop_epochs, batches, len(history) // batches, detector.whether_stop
    )
    stem = f"{algorithm.lower()}_{name.lower()}"
    figures = {stem: Figure(layout="constrained")}
    axes = plots.plot_training(history, figures[stem].subplots(), stop=stop)
    axes.set_title(f"{algorithm} on {name}")
    if data.data.shape[1] == 2:
        noise = np.random.default_rng(seed).random((500, 2))
        generators = detector.sub_generators_ if algorithm == "MO-GAAL" else [detector.generator_]
        generated = [g(noise[i :: len(generators)]).numpy() for i, g in enumerate(generators)]
        figures[f"{stem}_division"] = Figure(layout="constrained")
        axes = plots.plot_division(
            detector.score_samples,
            data.data,
            generated=np.concatenate(generated),
            y=data.target,
            ax=figures[f"{stem}_division"].subplots(),
        )
        axes.set_title(f"{algorithm} on {name}: D(x) after training")
    for file, figure in figures.items():
        write(
            output / f"{file}.png",
            lambda path, figure=figure: figure.savefig(path, format="png", dpi=120),
        )
    write(output / f"{stem}.csv", history.to_csv)
    auc = history["auc"]
    return {
        "algorithm": algorithm,
        "data": name,
        "settings": ", ".join(f"{key} {value}" for key, value in parameters.items()),
        "rows": n,
        "outliers": int(data.target.sum()),
        "updates": len(history),
        "AUC at the stop node": auc.iloc[stop - 1],
        "AUC at the end": auc.iloc[-1],
        "best AUC (update)": f"{auc.max():.4f} ({auc.idxmax() + 1})",
        "seconds": seconds,
        "figures": list(figures),
        "source": data.source,
    }


def report(rows: list[dict], seed: int, command: str) -> str:
    """Lay the results out as Markdown."""
    import keras
    import tensorflow as tf

    columns = [key for key in rows[0] if key not in ("figures", "source")]
    cells = [
        [f"{row[c]:.1f}" if c == "seconds" else f"{row[c]:.4f}" if "AUC" in c
         and not isinstance(row[c], str) else str(row[c]) for c in columns]
        for row in rows
    ]  # fmt: skip
    table = [columns, ["---"] * len(columns), *cells]
    lines = [
        "# GAAL with the published parameters",
        "",
        *("| " + " | ".join(line) + " |" for line in table),
        "",
        PROTOCOL,
        "",
        "Common settings: lr_d 0.01, lr_g 0.0001, decay 1e-6, momentum 0.9, batches of"
        f" min(500, n) rows, 3 x stop_epochs epochs; seed {seed}.",
        "",
        "## Data",
        "",
        *dict.fromkeys(f"- {row['data']}: {' '.join(row['source'].split())}" for row in rows),
        "",
        "## Curves",
        "",
        *(
            f"![{file}]({file}.png)\n"
            for row in rows
            for file in row["figures"]
        ),
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras"
        f" {keras.__version__}. Made by `{command}`.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run all, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data-home", help="folder of the published files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=REPORTS)
    args = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from gaal import datasets

    try:
        if args.data_home is None:
            onecluster = datasets.make_onecluster(random_state=args.seed)
        else:
            onecluster = datasets.load_dataset(
                "onecluster", data_home=args.data_home, download=False
            )
        data = {
            "WDBC": datasets.load_dataset("WDBC", data_home=args.data_home, download=False),
            "onecluster": onecluster,
        }
        args.output.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        rows = [run(a, name, data[name], args.seed, args.output) for a, name in RUNS]
    except (OSError, ValueError) as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nreproduce: interrupted", file=sys.stderr)
        return 130
    command = " ".join(["python scripts/reproduce.py", *(argv or sys.argv[1:])])
    text = report(rows, args.seed, command)
    write(args.output / "report.md", lambda path: path.write_text(text))
    print(f"{args.output / 'report.md'} written in {time.perf_counter() - start:.0f} s")
    for row in rows:
        print(
            f"  {row['algorithm']} on {row['data']}: AUC {row['AUC at the stop node']:.4f} at the"
            f" stop node, {row['AUC at the end']:.4f} at the end, best {row['best AUC (update)']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
