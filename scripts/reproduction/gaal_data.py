"""The points that GAAL's targets train on."""

from collections.abc import Callable, Iterable

import numpy as np

from reproduction.target import Plan, sha256


def load(name: str, home: str | None):
    """Load a published set; onecluster is a synthetic look-alike where there is no file."""
    from gaal import datasets

    if name in PLANES:
        return make_clusters(*PLANES[name])
    if name == "onecluster" and home is None:
        return datasets.make_onecluster(random_state=0)
    return datasets.load_dataset(name, data_home=home, download=False)


def describe(name: str, home: str | None) -> dict[str, str]:
    """Name a data set, its source and its SHA-256 for the report."""
    data = load(name, home)
    if data.filename is not None:
        return {"name": name, "source": "the published file", "sha256": sha256(data.filename)}
    return {"name": name, "source": " ".join(data.source.split()), "sha256": sha256(data.data)}


def described(names: Callable[[Plan], Iterable[str]]) -> Callable[[Plan], list[dict[str, str]]]:
    """Make the data of a target of these sets."""
    return lambda plan: [describe(name, home_of(plan)) for name in names(plan)]


def home_of(plan: Plan) -> str | None:
    """Give the folder of the published files as a string, which travels to other processes."""
    return None if plan.gaal_home is None else str(plan.gaal_home)


# Standard deviations of the clusters, and the seed of the points.
PLANES = {
    "four clusters": ((0.04, 0.04, 0.04, 0.04), 1),
    "clusters of different density": ((0.015, 0.03, 0.06, 0.09), 2),
}

CENTRES = np.array([[0.25, 0.25], [0.75, 0.3], [0.3, 0.75], [0.72, 0.72]])


def make_clusters(spreads: tuple[float, ...], seed: int, n: int = 1000, n_outliers: int = 40):
    """Make Gaussian clusters in the unit square, and uniform outliers away from all of them."""
    from sklearn.datasets import make_blobs
    from sklearn.utils import Bunch

    rng = np.random.default_rng(seed)
    points, _ = make_blobs(
        [(n - n_outliers) // len(spreads)] * len(spreads),
        2,
        centers=CENTRES[: len(spreads)],
        cluster_std=list(spreads),
        random_state=seed,
    )
    points = np.clip(points, 0, 1)
    outliers = np.empty((0, 2))
    while len(outliers) < n_outliers:
        new = rng.random((n_outliers, 2))
        away = np.linalg.norm(new[:, None] - CENTRES[None, : len(spreads)], axis=2)
        outliers = np.vstack([outliers, new[(away > 3.5 * np.array(spreads)).all(axis=1)]])
    return Bunch(
        data=np.vstack([points, outliers[:n_outliers]]),
        target=np.repeat([0, 1], [len(points), n_outliers]),
        filename=None,
        source=f"Gaussian clusters of standard deviations {', '.join(map(str, spreads))},"
        f" {n_outliers} uniform outliers more than 3.5 of them away; seed {seed}",
    )
