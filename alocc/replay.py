"""Replay of recorded runs of the published programs: the Keras port's, and the authors'."""

import json
import os
from pathlib import Path

import keras
import numpy as np

from alocc import networks, training
from gaal_alocc.precision import computing_in

TOLERANCES = {"losses": 1e-6, "images": 1e-5, "scores": 1e-5, "weights": 1e-5}
# Of the authors' program; images are recorded in float32, as the larger weights are.
AUTHORS_TOLERANCES = {"losses": 1e-9, "images": 1e-7, "scores": 1e-8, "weights": 1e-8}
# Columns of the history, as the authors' records name them.
AUTHORS_LOSSES = {
    "d_loss_real": "d_loss_real",
    "d_loss_fake": "d_loss_fake",
    "g1_total": "g_loss_first",
    "g1_reconstruction": "g_loss_reconstruction_first",
    "g1_adversarial": "g_loss_validity_first",
    "g2_total": "g_loss",
    "g2_reconstruction": "g_loss_reconstruction",
    "g2_adversarial": "g_loss_validity",
    "after_d_real": "d_loss_real_printed",
    "after_d_fake": "d_loss_fake_printed",
    "after_g_total": "g_loss_printed",
}
AUTHORS_SCOPES = {
    "g_encoder_h0_bn": "g_bn4",
    "g_encoder_h1_bn": "g_bn5",
    "g_encoder_h2_bn": "g_bn6",
    "g_decoder_h0_deconv": "g_decoder_h1",
    "g_decoder_h0_bn": "g_bn2",
    "g_decoder_h1_deconv": "g_decoder_h0",
    "g_decoder_h1_bn": "g_bn3",
    "g_decoder_h2_deconv": "g_decoder_h00",
    "d_h1_bn": "d_bn1",
    "d_h2_bn": "d_bn2",
    "d_h3_bn": "d_bn3",
}


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
    trace = _read(path)
    with computing_in(trace["g_loss_second"].dtype.name):
        return _replay(trace, steps_per_execution, ingredients)


def _read(path: str | Path) -> dict[str, np.ndarray]:
    with np.load(os.path.expanduser(path), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


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


def authors_weights(models: networks.Networks) -> dict[str, keras.Variable]:
    """Find the weights under the names that the authors' graph gives them."""
    names = {}
    for scope, model in (("generator", models.generator), ("discriminator", models.discriminator)):
        for weight in model.weights:
            layer, kind = weight.path.rsplit("/", 2)[-2:]
            if layer == "d_h3_lin":
                kind = {"kernel": "Matrix", "bias": "bias"}[kind]
            else:
                kind = {"kernel": "w", "bias": "biases"}.get(kind, kind)
            names[f"{scope}/{AUTHORS_SCOPES.get(layer, layer)}/{kind}"] = weight
    return names


@computing_in("float64")
def replay_authors(
    path: str | Path,
    steps_per_execution: int | str = "auto",
    ingredients: networks.Ingredients = networks.FIDELITIES["authors"],
    algorithm: training.Algorithm = training.ALGORITHMS["authors"],
    clipvalue: float | None = None,
) -> dict[str, float]:
    """Replay a record of the authors' own program, in float64.

    Parameters
    ----------
    path : str or Path
        An npz file with images (uint8) and noisy, n_batches, losses (updates, losses),
        loss_names, r_alpha, learning_rate, perhaps gf_dim and df_dim, ``initial/`` and
        ``final/`` weights under their names in the graph (large ones every seventh element,
        with ``final_sum/`` and ``final_square_sum/`` of all), infer_x with infer_r_index, and
        d_x, d_rx and r under ``infer_moving/`` and ``infer_batch/``.
    steps_per_execution : int or "auto", default="auto"
        The door, see :func:`alocc.training.train`.
    ingredients, algorithm, clipvalue
        What to train with.

    Returns
    -------
    dict of str to float
        The largest absolute difference of every recorded loss, array and weight.
    """
    trace = _read(path)
    image_shape = trace["images"].shape[1:]
    gf_dim, df_dim = (int(trace.get(name, 16)) for name in ("gf_dim", "df_dim"))
    models = networks.combine(
        networks.build_generator(image_shape, gf_dim, df_dim, "transpose", ingredients),
        networks.build_discriminator(image_shape, df_dim, ingredients),
        ingredients,
    )
    weights = authors_weights(models)
    for name, weight in weights.items():
        weight.assign(trace[f"initial/{name}"])
    rates = {"r_alpha": float(trace["r_alpha"]), "learning_rate": float(trace["learning_rate"])}
    networks.compile_models(
        models, **rates, clipvalue=clipvalue, decay=0.0, ingredients=ingredients
    )
    n_batches = int(trace["n_batches"])
    x, infer_x = (trace[name] / 255.0 for name in ("images", "infer_x"))
    history = training.train(
        models,
        x,
        trace["noisy"].astype(x.dtype),
        algorithm=algorithm,
        batch_size=len(x) // n_batches,
        n_epochs=len(trace["losses"]) // n_batches,
        steps_per_execution=steps_per_execution,
    )

    recorded, ours = {}, {}
    for name, losses in zip(trace["loss_names"], trace["losses"].T):
        if AUTHORS_LOSSES[str(name)] in history:
            recorded[f"losses/{name}"] = losses
            ours[f"losses/{name}"] = history[AUTHORS_LOSSES[str(name)]]
    for name, weight in weights.items():
        value = weight.numpy()
        if trace[f"final/{name}"].shape != value.shape:
            ours[f"final_sum/{name}"], ours[f"final_square_sum/{name}"] = (
                value.sum(),
                (value**2).sum(),
            )
            value = value.ravel()[::7]
        ours[f"final/{name}"] = value
    for kind, run in (
        ("infer_moving", lambda model, images: model(images, training=False)),
        ("infer_batch", lambda model, images: networks.normalized_by_batch(model, images)[0]),
    ):
        r = run(models.generator, infer_x)
        ours[f"{kind}/r"] = r.numpy()[trace["infer_r_index"]]
        for name, images in (("d_x", infer_x), ("d_rx", r)):
            ours[f"{kind}/{name}"] = run(models.discriminator, images).numpy().ravel()
    recorded = {**trace, **recorded}
    return {name: float(np.max(np.abs(ours[name] - recorded[name]))) for name in ours}


def tolerance(name: str) -> float:
    """Tolerance of a difference that :func:`replay` or :func:`replay_authors` returns."""
    if "/" in name:
        group, kind = name.split("/", 1)
        if group.startswith("infer"):
            return AUTHORS_TOLERANCES["images" if kind == "r" else "scores"]
        return AUTHORS_TOLERANCES["losses" if group == "losses" else "weights"]
    kind = "losses" if "loss" in name else "scores" if "_d_of_" in name else "images"
    return TOLERANCES["weights" if "_final_" in name else kind]
