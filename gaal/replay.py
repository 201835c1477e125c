"""Replay of recorded runs of the published programs."""

import itertools
import json
import os
from pathlib import Path

import numpy as np

from gaal import networks, training

LOSS_TOLERANCE = 5e-5
TOLERANCE = 1e-4
# Of the generator's own movement, which is itself no larger than the tolerance on weights.
MOVEMENT_TOLERANCE = 0.05
LEAST_MOVEMENT = 1e-5  # below it float32 weights near 1 tell nothing


def tolerance(name: str) -> float:
    """Return how far a replay may be from the record, by the name of the difference."""
    if name.endswith("_loss"):
        return LOSS_TOLERANCE
    return MOVEMENT_TOLERANCE if name.endswith("_movement") else TOLERANCE


class Record:
    """A recorded run: its arrays by name, and what it was run with.

    Raises ValueError if the file is no recorded run of SO-GAAL or MO-GAAL.
    """

    def __init__(self, path: str | Path) -> None:
        with np.load(os.path.expanduser(path), allow_pickle=False) as archive:
            self.arrays = {name: archive[name] for name in archive.files}
        self.config = json.loads(str(self.arrays["config"]))
        found = self.config.get("algorithm")
        if found not in ("so_gaal", "mo_gaal"):
            raise ValueError(f"it records the algorithm {found!r}; expected so_gaal or mo_gaal.")
        self.multiple = found == "mo_gaal"
        self.generators = [f"g{i}" for i in range(self.config["k"] if self.multiple else 1)]

    def weights(self, network: str, moment: str) -> list[np.ndarray]:
        """Give the kernels and biases of "d", or of "g0" and so on, at "init" or "final"."""
        return [self.arrays[f"{network}_{moment}_{i}"] for i in range(4)]


def replay(path: str | Path, steps_per_execution: int | str = "auto") -> dict[str, float]:
    """Train on a recorded run's data, weights and noise, and compare with what it recorded.

    Parameters
    ----------
    path : str or Path
        An npz file with ``config`` (JSON: algorithm, stop_epochs, k, lr_d, lr_g, decay,
        momentum; whether_stop where it is not 1), X (n, d), y_outlier (n,), noise
        (draws, B, d), d_init_0..3, g{i}_init_0..3 and the same with ``final``,
        history_* and epoch_scores (epochs, n).
    steps_per_execution : int or "auto", default="auto"
        The door, see :func:`gaal.training.train`.

    Returns
    -------
    dict of str to float
        The largest absolute difference of every recorded column and array, and for every
        generator ``g{i}_movement``, the largest difference of its final weights as a share of
        the largest way that one of them went. :func:`tolerance` tells how much is allowed.

    Raises
    ------
    ValueError
        If the file is no recorded run of SO-GAAL or MO-GAAL.
    """
    record = Record(path)
    trace, config, weights = record.arrays, record.config, record.weights
    multiple, generators = record.multiple, record.generators
    X, noise = trace["X"], trace["noise"]
    n, n_features = X.shape
    batch_size = noise.shape[1]
    m = n // batch_size

    discriminator = networks.build_discriminator(n_features, n)
    discriminator.set_weights(weights("d", "init"))
    if multiple:
        generator = networks.build_sub_generators(n_features, len(generators))
        generator.set_weights(networks.stack([weights(name, "init") for name in generators]))
    else:
        generator = networks.build_generator(n_features)
        generator.set_weights(weights("g0", "init"))
    gan = networks.combine(generator, discriminator)
    networks.compile_models(gan, **{p: config[p] for p in ("lr_d", "lr_g", "decay", "momentum")})

    algorithm = training.MO_GAAL if multiple else training.SO_GAAL
    draws = algorithm.draws
    noise = iter(noise.reshape(-1, draws, *noise.shape[1:]))
    n_epochs = len(trace["epoch_scores"])
    epoch_scores = []
    history = training.train(
        gan,
        algorithm,
        X,
        orders=itertools.repeat(np.arange(m * batch_size, dtype=np.int32).reshape(m, batch_size)),
        draw_noise=lambda count: np.array(list(itertools.islice(noise, count)), np.float32).reshape(
            count, draws, batch_size, n_features
        ),
        n_epochs=n_epochs,
        active_updates=algorithm.active_updates(
            config["stop_epochs"], m, n_epochs, bool(config.get("whether_stop", True))
        ),
        steps_per_execution=steps_per_execution,
        is_outlier=trace["y_outlier"],
        on_scores=epoch_scores.append,
    )

    finals = {"d": discriminator.get_weights()}
    singles = networks.unstack(generator) if multiple else [generator]
    finals.update({name: model.get_weights() for name, model in zip(generators, singles)})
    ours = {f"history_{name}": column.to_numpy() for name, column in history.items()}
    ours["epoch_scores"] = np.vstack(epoch_scores)
    for network, values in finals.items():
        ours.update({f"{network}_final_{i}": value for i, value in enumerate(values)})
    differences = {
        name: float(np.max(np.abs(value.astype(np.float64) - trace[name])))
        for name, value in ours.items()
    }
    for name in generators:
        way = max(
            np.max(np.abs(final - init))
            for final, init in zip(weights(name, "final"), weights(name, "init"))
        )
        difference = max(differences[f"{name}_final_{i}"] for i in range(4))
        differences[f"{name}_movement"] = float(difference / max(way, LEAST_MOVEMENT))
    return differences
