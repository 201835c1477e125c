"""The networks that the post's author published: the runs behind its figures 4 and 5.

They lie in the folder chkpt of qarchli/pytorch-gan-for-outlier-detection, as PyTorch saved them,
and are known by their SHA-256.
"""

from pathlib import Path

import numpy as np
from porting.checkpoints import load_networks

from reproduction.gaal_runs import PUBLISHED
from reproduction.target import Plan, sha256

POST = PUBLISHED["figures"]["blog_pytorch_port_onecluster"]
FIGURES = {
    4: POST["generator_bias_1"]["checkpoint"],
    5: POST["generator_bias_1e-5"]["checkpoint"],
}
NETWORKS = ("discriminator", "generator")


def figure_of(discriminator: Path) -> int | None:
    """Tell which figure of the post the networks are behind, by the SHA-256 of both."""
    files = discriminator, beside(discriminator)
    if not all(file.is_file() for file in files):
        return None
    sums = dict(zip(NETWORKS, map(sha256, files)))
    return next((n for n, known in FIGURES.items() if known.items() >= sums.items()), None)


def find(plan: Plan, figure: int) -> Path | None:
    """Find the discriminator of a published run in a folder chkpt beside the data, if it is there.

    The generator is :func:`beside` it.
    """
    if plan.gaal_home is None:
        return None
    folders = [home / "chkpt" / "discriminator" for home in (plan.gaal_home, plan.gaal_home.parent)]
    runs = (run for folder in folders for run in sorted(folder.glob("*")))
    return next((run for run in runs if figure_of(run) == figure), None)


def beside(discriminator: Path) -> Path:
    """Name the generator of the same run."""
    return discriminator.parent.parent / "generator" / discriminator.name


def load(discriminator: Path) -> dict[str, list[np.ndarray]]:
    """Load the weights of both networks as they are in Keras's models."""
    models = load_networks(discriminator, beside(discriminator))
    return {name: model.get_weights() for name, model in zip(NETWORKS, models)}


def scores(weights: dict[str, list[np.ndarray]], X: np.ndarray) -> np.ndarray:
    """Compute D(x) by a Keras model with these weights."""
    from gaal import networks

    kernel = weights["discriminator"][0]
    model = networks.build_discriminator(len(kernel), kernel.shape[1] ** 2)
    model.set_weights(weights["discriminator"])
    return np.asarray(model(X.astype("float32")))[:, 0]


def generated(weights: dict[str, list[np.ndarray]], z: np.ndarray) -> np.ndarray:
    """Make potential outliers by a Keras model with these weights."""
    from gaal import networks

    model = networks.build_generator(z.shape[1])
    model.set_weights(weights["generator"])
    return np.asarray(model(z.astype("float32")))


def describe(weights: dict[str, list[np.ndarray]], data) -> dict[str, float]:
    """Measure a run by where it ended: its AUC, D on the data, and the weights of G.

    G starts as the identity: of each layer the mean of the kernel's diagonal, of the rest of it,
    and of the bias.
    """
    from sklearn.metrics import roc_auc_score

    d = scores(weights, data.data)
    measured = {
        "final_auc": float(roc_auc_score(data.target, 1 - d)),
        "D(x) of inliers": float(d[data.target == 0].mean()),
        "D(x) of outliers": float(d[data.target == 1].mean()),
    }
    for i, (kernel, bias) in enumerate(zip(weights["generator"][::2], weights["generator"][1::2])):
        diagonal = np.eye(len(kernel), dtype=bool)
        measured[f"G's layer {i + 1}: diagonal"] = float(kernel[diagonal].mean())
        measured[f"G's layer {i + 1}: off the diagonal"] = float(kernel[~diagonal].mean())
        measured[f"G's layer {i + 1}: bias"] = float(bias.mean())
    return measured
