"""AUC by the share of irrelevant variables."""

import time

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.baselines import BASELINES
from reproduction.gaal_data import describe, home_of, load
from reproduction.gaal_runs import ALGORITHMS, COMMON, detector, mean_spread, wide
from reproduction.target import Outcome, Plan, Target, sha256

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
QUICK_SHARES = (0.0, 0.75)
STOP_EPOCHS, QUICK_STOP_EPOCHS = 500, 300  # with 200 MO-GAAL is not done at 75%
CLUSTERS = "two clusters"
BESIDE = ("LOF", "kNN")  # whose losses MO-GAAL's is judged by
RELEVANT = 4  # variables of the clusters that tell outliers from inliers


def irrelevant_data(
    name: str, home: str | None, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Make or load a set, and add uniform noise as the other variables."""
    rng = np.random.default_rng(seed)
    if name == CLUSTERS:
        X, y = two_clusters(rng)
    else:
        data = load(name, home)
        X, y = data.data, data.target
    n_noise = round(X.shape[1] * share / (1 - share))
    return np.hstack([X, rng.random((len(X), n_noise))]), y


def two_clusters(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make two clusters in four variables, and outliers away from both."""
    centres = np.array([[0.35] * RELEVANT, [0.65] * RELEVANT])
    inliers = np.vstack([rng.normal(c, 0.05, (475, RELEVANT)) for c in centres])
    outliers = np.empty((0, RELEVANT))
    while len(outliers) < 50:
        new = rng.random((50, RELEVANT))
        away = np.linalg.norm(new[:, None] - centres[None], axis=2).min(axis=1)
        outliers = np.vstack([outliers, new[away > 0.25]])
    X = np.clip(np.vstack([inliers, outliers[:50]]), 0, 1)
    return X, np.repeat([0, 1], [len(inliers), 50])


def sets(plan: Plan) -> dict[str, str | None]:
    """Name the sets, and where their files lie: in a full run a published one, too."""
    return {CLUSTERS: None, **({"onecluster": home_of(plan)} if plan.full else {})}


def irrelevant_pieces(plan: Plan) -> list[dict]:
    """Give the sets, the shares of irrelevant variables and the detectors.

    SO-GAAL and IsolationForest are shown beside the others in a full run, and not judged.
    """
    methods = (*ALGORITHMS, *BESIDE, "IsolationForest") if plan.full else ("MO-GAAL", *BESIDE)
    stop_epochs = STOP_EPOCHS if plan.full else QUICK_STOP_EPOCHS
    return [
        {
            "name": name,
            "home": home,
            "method": method,
            "share": share,
            "seed": seed,
            "stop_epochs": stop_epochs,
        }
        for name, home in sets(plan).items()
        for share in (SHARES if plan.full else QUICK_SHARES)
        for method in methods
        for seed in (plan.some_seeds(3) if method == "SO-GAAL" else plan.all_seeds)
    ]


def irrelevant(
    name: str, home: str | None, method: str, share: float, seed: int, stop_epochs: int
) -> dict:
    """Score the data with a share of irrelevant variables by one method."""
    from sklearn.metrics import roc_auc_score

    X, y = irrelevant_data(name, home, share, seed)
    start = time.perf_counter()
    if method in BASELINES:
        score, _ = BASELINES[method](X, X[:1], seed)
    else:
        score = -detector(method, {"stop_epochs": stop_epochs}, seed).fit(X).score_samples(X)
    return {
        "name": name,
        "method": method,
        "share": share,
        "seed": seed,
        "auc": float(roc_auc_score(y, score)),
        "seconds": time.perf_counter() - start,
    }


def judge_irrelevant(runs: list[dict]) -> Outcome:
    """Judge the AUC by the share of irrelevant variables, with other detectors beside."""
    frame, compared = pd.DataFrame(runs), []
    most = float(frame["share"].max())
    for name, part in frame.groupby("name", sort=False):
        auc = part.pivot_table("auc", ["share", "seed"], "method", sort=False)
        loss = (auc.loc[0.0] - auc.loc[most]).dropna(axis="columns")
        orders = [
            verdicts.ordered(
                f"MO-GAAL's AUC suffers less than {other}'s from {most:.0%} irrelevant variables",
                loss[other],
                loss["MO-GAAL"],
                "MO-GAAL leads on data with a high ratio of irrelevant variables (abstract)",
                f"{other}'s loss of AUC less MO-GAAL's",
            )
            for other in BESIDE
        ]
        compared += verdicts.of(name, orders)
    table = frame.pivot_table("auc", ["name", "share"], "method", mean_spread, sort=False)
    table = table.reset_index().rename(columns={"name": "data"})
    return Outcome(verdicts.together(compared), {"Mean and standard deviation over seeds": table})


def draw_irrelevant(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the mean AUC of every method."""
    figure = wide()
    sets = pd.DataFrame(runs).groupby("name", sort=False)
    axes = figure.subplots(1, len(sets), sharey=True, squeeze=False).ravel()
    for ax, (name, of_set) in zip(axes, sets):
        for method, part in of_set.groupby("method", sort=False):
            ours = method in ALGORITHMS
            ax.plot(
                part.groupby("share")["auc"].mean(),
                marker="o",
                linewidth=2 if ours else 1,
                linestyle="-" if ours else "--",
                label=method,
            )
        ax.set(title=name, xlabel="share of irrelevant variables")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("AUC, mean over seeds")
    axes[0].legend(fontsize="small")
    return {"AUC by the share of irrelevant variables": figure}


def describe_irrelevant(plan: Plan) -> list[dict[str, str]]:
    """Say how the data are made."""
    made = {
        "name": "two clusters with irrelevant variables",
        "source": "two Gaussian clusters in four variables, 50 uniform outliers of 1000"
        " rows; uniform variables added. A set a seed; the sum is of seed 0 without them",
        "sha256": sha256(irrelevant_data(CLUSTERS, None, 0.0, 0)[0]),
    }
    return [made, *(describe(name, home) for name, home in sets(plan).items() if name != CLUSTERS)]


TARGET = Target(
    "irrelevant-variables",
    "AUC by the share of irrelevant variables",
    "Liu et al. (2019), section 4: synthetic data with irrelevant variables",
    "made clusters, in a full run onecluster, too; stop_epochs"
    f" {STOP_EPOCHS}, in a quick run {QUICK_STOP_EPOCHS}; k 10; LOF with 20, kNN with 5"
    f" neighbours; {COMMON}",
    irrelevant_pieces,
    irrelevant,
    dict,
    judge_irrelevant,
    draw_irrelevant,
    describe_irrelevant,
)
