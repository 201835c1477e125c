"""AUC by the share of irrelevant variables."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.baselines import BASELINES
from reproduction.gaal_runs import ALGORITHMS, COMMON, detector, mean_spread, wide
from reproduction.target import Outcome, Plan, Target, sha256

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
QUICK_SHARES = (0.0, 0.75)
STOP_EPOCHS, QUICK_STOP_EPOCHS = 500, 300  # with 200 MO-GAAL is not done at 75%
RELEVANT = 4  # variables that tell outliers from inliers


def irrelevant_data(share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make two clusters in four variables, and uniform noise as the other variables."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.35] * RELEVANT, [0.65] * RELEVANT])
    inliers = np.vstack([rng.normal(c, 0.05, (475, RELEVANT)) for c in centres])
    outliers = np.empty((0, RELEVANT))
    while len(outliers) < 50:
        new = rng.random((50, RELEVANT))
        away = np.linalg.norm(new[:, None] - centres[None], axis=2).min(axis=1)
        outliers = np.vstack([outliers, new[away > 0.25]])
    n_noise = round(RELEVANT * share / (1 - share))
    X = np.vstack([inliers, outliers[:50]])
    X = np.hstack([np.clip(X, 0, 1), rng.random((len(X), n_noise))])
    return X, np.repeat([0, 1], [len(inliers), 50])


def irrelevant_pieces(plan: Plan) -> list[dict]:
    """Give the shares of irrelevant variables and the detectors."""
    some = plan.some_seeds(3 if plan.full else 1)  # shown beside MO-GAAL, not judged
    stop_epochs = STOP_EPOCHS if plan.full else QUICK_STOP_EPOCHS
    return [
        {"method": method, "share": share, "seed": seed, "stop_epochs": stop_epochs}
        for share in (SHARES if plan.full else QUICK_SHARES)
        for method in (*ALGORITHMS, "LOF", "kNN", "IsolationForest")
        for seed in (some if method == "SO-GAAL" else plan.all_seeds)
    ]


def irrelevant(method: str, share: float, seed: int, stop_epochs: int) -> dict:
    """Score the data with a share of irrelevant variables by one method."""
    from sklearn.metrics import roc_auc_score

    X, y = irrelevant_data(share, seed)
    start = time.perf_counter()
    if method in BASELINES:
        score, _ = BASELINES[method](X, X[:1], seed)
    else:
        score = -detector(method, {"stop_epochs": stop_epochs}, seed).fit(X).score_samples(X)
    return {
        "method": method,
        "share": share,
        "seed": seed,
        "auc": float(roc_auc_score(y, score)),
        "seconds": time.perf_counter() - start,
    }


def judge_irrelevant(runs: list[dict]) -> Outcome:
    """Judge the AUC by the share of irrelevant variables, with other detectors beside."""
    frame = pd.DataFrame(runs)
    auc = frame.pivot_table("auc", ["share", "seed"], "method", sort=False)
    most = float(frame["share"].max())
    loss = (auc.loc[0.0] - auc.loc[most]).dropna(axis="columns")
    compared = [
        verdicts.ordered(
            f"MO-GAAL's AUC suffers less than {other}'s from {most:.0%} irrelevant variables",
            loss[other],
            loss["MO-GAAL"],
            "MO-GAAL leads on data with a high ratio of irrelevant variables (abstract)",
            f"{other}'s loss of AUC less MO-GAAL's",
        )
        for other in ("LOF", "kNN")
    ]
    table = frame.pivot_table("auc", "share", "method", mean_spread, sort=False).reset_index()
    return Outcome(
        verdicts.of("two clusters", verdicts.together(compared)),
        {"Mean and standard deviation over seeds": table},
    )


def draw_irrelevant(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the mean AUC of every method."""
    figure = wide()
    ax = figure.subplots()
    for method, part in pd.DataFrame(runs).groupby("method", sort=False):
        ours = method in ALGORITHMS
        ax.plot(
            part.groupby("share")["auc"].mean(),
            marker="o",
            linewidth=2 if ours else 1,
            linestyle="-" if ours else "--",
            label=method,
        )
    ax.set(xlabel="share of irrelevant variables", ylabel="AUC, mean over seeds")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return {"AUC by the share of irrelevant variables": figure}


def describe_irrelevant(plan: Plan) -> list[dict[str, str]]:
    """Say how the data are made."""
    return [
        {
            "name": "two clusters with irrelevant variables",
            "source": "two Gaussian clusters in four variables, 50 uniform outliers of 1000"
            " rows; uniform variables added. A set a seed; the sum is of seed 0 without them",
            "sha256": sha256(irrelevant_data(0.0, 0)[0]),
        }
    ]


TARGET = Target(
    "irrelevant-variables",
    "AUC by the share of irrelevant variables",
    "Liu et al. (2019), section 4: synthetic data with irrelevant variables",
    f"stop_epochs {STOP_EPOCHS}, in a quick run {QUICK_STOP_EPOCHS}; k 10; LOF with 20, kNN with 5"
    f" neighbours; {COMMON}",
    irrelevant_pieces,
    irrelevant,
    dict,
    judge_irrelevant,
    draw_irrelevant,
    describe_irrelevant,
)
