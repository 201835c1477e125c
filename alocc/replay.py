"""Replay of recorded runs of the published program."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from alocc import networks, training

TOLERANCES = {"losses": 1e-6, "images": 1e-5, "scores": 1e-5, "weights": 1e-5}


@contextlib.contextmanager
def default_dtype(dtype: str) -> Iterator[None]:
    """Have Keras make and run layers in another float type, and put the old one back."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def keras2_weights(model: keras.Model) -> list:
    """Pick the weights that Keras 2 had, in its order.

    Layer by layer: kernel and bias, or gamma, beta, moving mean and moving variance.
    """
    return [w for w in model.weights if w.name != "updates"]


def replay(
    path: str | Path,
    steps_per_execution: int | str = "auto",
    ingredients: networks.Ingredients = networks.FIDELITIES["published"],
) -> dict[str, float]:
    """Train on a recorded run's data, weights and noise, and compare with what it recorded.

    Parameters
    ----------
    path : str or Path
        An npz file with ``config`` (JSON: gf_dim, df_dim, batch_size, epochs, r_alpha, lr,
        clipvalue, decay), images and noisy (n, height, width, channels), r_init_NN,
        d_init_NN and the same with ``final``, d_loss_real, d_loss_fake (updates,),
        g_loss_second (updates, 3), and the inference infer_rx, infer_d_of_rx and
        infer_d_of_x on infer_x. Replayed in float64 if the losses are.
    steps_per_execution : int or "auto", default="auto"
        The door, see :func:`alocc.training.train`.
    ingredients : Ingredients, default=FIDELITIES["published"]
        What to train with.

    Returns
    -------
    dict of str to float
        The largest absolute difference of every recorded loss, array and weight.
    """
    with np.load(os.path.expanduser(path), allow_pickle=False) as archive:
        trace = {name: archive[name] for name in archive.files}
    with default_dtype(trace["g_loss_second"].dtype.name):
        return _replay(trace, steps_per_execution, ingredients)


def _replay(trace: dict, steps_per_execution, ingredients) -> dict[str, float]:
    config = json.loads(str(trace["config"]))
    dtype = keras.config.floatx()
    image_shape = trace["images"].shape[1:]
    dims = {"df_dim": config["df_dim"], "ingredients": ingredients}
    generator = networks.build_generator(image_shape, config["gf_dim"], **dims)
    discriminator = networks.build_discriminator(image_shape, **dims)
    for prefix, model in (("r", generator), ("d", discriminator)):
        for i, weight in enumerate(keras2_weights(model)):
            weight.assign(trace[f"{prefix}_init_{i:02d}"])
    models = networks.combine(generator, discriminator, ingredients)
    networks.compile_models(
        models,
        r_alpha=config["r_alpha"],
        learning_rate=config["lr"],
        clipvalue=config["clipvalue"],
        decay=config["decay"],
        ingredients=ingredients,
    )

    history = training.train(
        models,
        trace["images"].astype(dtype),
        trace["noisy"].astype(dtype),
        batch_size=config["batch_size"],
        n_epochs=config["epochs"],
        steps_per_execution=steps_per_execution,
    )

    x = trace["infer_x"].astype(dtype)
    rx = generator(x, training=False)
    ours = {
        "d_loss_real": history["d_loss_real"],
        "d_loss_fake": history["d_loss_fake"],
        "g_loss_second": history[["g_loss", "g_loss_reconstruction", "g_loss_validity"]],
        "infer_rx": rx,
        "infer_d_of_rx": discriminator(rx, training=False),
        "infer_d_of_x": discriminator(x, training=False),
    }
    for prefix, model in (("r", generator), ("d", discriminator)):
        for i, weight in enumerate(keras2_weights(model)):
            ours[f"{prefix}_final_{i:02d}"] = weight
    return {
        name: float(np.max(np.abs(np.asarray(value, np.float64) - trace[name])))
        for name, value in ours.items()
    }


def tolerance(name: str) -> float:
    """Tolerance of one of the differences that :func:`replay` returns."""
    kind = "losses" if "loss" in name else "scores" if "_d_of_" in name else "images"
    return TOLERANCES["weights" if "_final_" in name else kind]
