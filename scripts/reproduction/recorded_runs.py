"""The recorded runs of the published programs, trained again by the detectors.

Recorded are the rows in training order, the initial weights, all noise, and after every update
the losses and the AUC. A detector that is given these, and else does as it always does, has to
come to the same numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaal_alocc.startup import importing_tensorflow
from reproduction import verdicts
from reproduction.target import Outcome, Plan, Target, sha256
from reproduction.verdicts import Comparison

TRACES = Path(__file__).resolve().parents[2] / "tests" / "traces"
RECORDS = ("so_gaal_n120_d7", "so_gaal_n1100_d4", "mo_gaal_n700_d3_k10", "mo_gaal_n1200_d5_k4")


class RecordedNoise:
    """Stands in for the generator of the noise: gives what was drawn, in its order."""

    def __init__(self, noise: np.ndarray) -> None:
        self.left = noise

    def random(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Give the next of the noise, as numpy's generators draw it."""
        taken = shape[0] * shape[1]
        given, self.left = self.left[:taken], self.left[taken:]
        return given.reshape(shape).astype(dtype)


class Recorded:
    """A detector that trains on its class's ``record``, a :class:`gaal.replay.Record`."""

    def _build_discriminator(self, *arguments):
        model = super()._build_discriminator(*arguments)
        model.set_weights(self.record.weights("d", "init"))
        return model

    def _build_generator(self, *arguments):
        from gaal import networks

        model = super()._build_generator(*arguments)
        weights = [self.record.weights(name, "init") for name in self.record.generators]
        model.set_weights(networks.stack(weights) if self.record.multiple else weights[0])
        return model

    def _train(self, X, generators, *arguments, **settings):
        arrays = self.record.arrays
        if settings.get("is_outlier") is not None:
            settings["is_outlier"] = arrays["y_outlier"]
        generators = (*generators[:2], RecordedNoise(arrays["noise"]))
        return super()._train(arrays["X"], generators, *arguments, **settings)


def run_recorded(name: str, departures: tuple[str, ...] = ()) -> dict:
    """Train on a record; ``departures`` from the published program are for the tests."""
    from gaal import MOGAAL, SOGAAL, networks, replay

    record = replay.Record(TRACES / f"{name}.npz")
    config, arrays = record.config, record.arrays
    base = MOGAAL if record.multiple else SOGAAL
    parameters = {"stop_epochs": config["stop_epochs"]}
    if record.multiple:
        parameters["k"] = config["k"]
    if departures:
        from porting.departures import departed

        other = departed("mo-gaal" if record.multiple else "so-gaal", departures, **parameters)
        base, parameters = type(other), other.get_params()
    fitted = type(base.__name__, (Recorded, base), {"record": record})(**parameters)
    fitted.set_params(random_state=0).fit(arrays["X"], arrays["y_outlier"])

    history = fitted.history_
    d = fitted.discriminator_.get_weights()
    g = (
        [model.get_weights() for model in networks.unstack(fitted.generator_)]
        if record.multiple
        else [fitted.generator_.get_weights()]
    )
    movements = []
    for generator, weights in zip(record.generators, g):
        start, end = record.weights(generator, "init"), record.weights(generator, "final")
        way = max(np.abs(b - a).max() for a, b in zip(start, end))
        movements.append(max(np.abs(b - w).max() for b, w in zip(end, weights)) / way)
    apart = {
        column: np.abs(history[column].to_numpy() - arrays[f"history_{column}"])
        for column in history
        if f"history_{column}" in arrays
    }
    rates = [
        float(np.asarray(model.optimizer.learning_rate))
        for model in (fitted.discriminator_, fitted.combine_model_)
    ]
    return {
        "name": name,
        "config": config,
        "updates": len(history),
        "steps of G": int(np.asarray(fitted.combine_model_.optimizer.iterations)),
        "losses": np.max([v for c, v in apart.items() if c != "auc"], axis=0),
        "auc": apart["auc"],
        "weights of D": max(np.abs(a - b).max() for a, b in zip(d, record.weights("d", "final"))),
        "movement of G": max(movements),
        "rates": rates,
    }


def compare(run: dict) -> list[Comparison]:
    """Hold one run against its record, to the tolerances of a replay."""
    with importing_tensorflow():
        from gaal import replay

    config, name = run["config"], run["name"]
    m = config["n"] // min(500, config["n"])
    # G stops after stop_epochs + 1 epochs; the sub-generators after stop_epochs and a batch.
    steps = m * config["stop_epochs"] + (1 if "k" in config else m)
    compared = [
        verdicts.within("updates in which G learns", run["steps of G"], steps, 0),
        *(
            verdicts.within(f"{what}, furthest from the record", float(worst), 0, tolerance)
            for what, worst, tolerance in (
                ("losses", run["losses"], replay.LOSS_TOLERANCE),
                ("AUC", run["auc"], replay.TOLERANCE),
                ("D's weights at the end", run["weights of D"], replay.TOLERANCE),
                (
                    "G's weights at the end, as a share of their way",
                    run["movement of G"],
                    replay.MOVEMENT_TOLERANCE,
                ),
            )
        ),
        *(
            verdicts.within(
                f"learning rate of {network} after {count} updates, as a share of the first",
                rate / config[lr],
                1 / (1 + config["decay"] * count),
                1e-6,
            )
            for network, lr, rate, count in (
                ("D", "lr_d", run["rates"][0], run["updates"]),
                ("G", "lr_g", run["rates"][1], run["steps of G"]),
            )
        ),
    ]
    return verdicts.of(f"the record {name}", compared)


def numbers(run: dict) -> dict:
    """Take the raw numbers of a run: how far it came from its record at the furthest."""
    return {**run, "losses": run["losses"].max(), "auc": run["auc"].max()}


def judge_recorded(runs: list[dict]) -> Outcome:
    """Judge how far each run is from its record."""
    shown = {
        "name": "record",
        "updates": "updates",
        "losses": "losses",
        "auc": "AUC",
        "weights of D": "D's weights",
        "movement of G": "G's movement",
    }
    return Outcome(
        [comparison for run in runs for comparison in compare(run)],
        {"Largest differences": pd.DataFrame(runs)[list(shown)].rename(columns=shown)},
        [
            "Initial weights, row order and noise are the recorded ones; all else is the detector's"
            " own. So much is not left to chance: what changes an update is seen here, even where"
            " no number of seeds would show it in an AUC."
        ],
    )


def draw_recorded(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw how far each update is from the record."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    ax = figure.subplots()
    for run in runs:
        ax.semilogy(np.arange(1, run["updates"] + 1), run["losses"] + 1e-9, "o-", label=run["name"])
    ax.axhline(5e-5, color="0.3", linestyle=":", label="tolerance")
    ax.set(xlabel="update", ylabel="furthest of the losses from the record")
    ax.legend(fontsize="small")
    ax.grid(alpha=0.3)
    return {"Distance from the recorded losses": figure}


def describe_records(plan: Plan) -> list[dict[str, str]]:
    """Name the records and their SHA-256."""
    return [
        {"name": name, "source": "tests/traces", "sha256": sha256(TRACES / f"{name}.npz")}
        for name in RECORDS
    ]


TARGET = Target(
    "recorded-runs",
    "Recorded runs of the published programs, update by update",
    "Runs of the published SO-GAAL and MO-GAAL under Keras 2.2.4, recorded whole",
    "stop_epochs and k of each record; all else as published",
    lambda plan: [{"name": name} for name in RECORDS],
    run_recorded,
    numbers,
    judge_recorded,
    draw_recorded,
    describe_records,
)
