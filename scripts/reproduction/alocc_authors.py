"""The authors' program, run once a digit for the paper's figures 6, 7 and 8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reproduction.alocc_runs import (
    AUTHORS_EPOCHS,
    DIGIT,
    RULES,
    authors_run,
    load_images,
    mnist_of,
    reconstructions,
    seeds_of,
)
from reproduction.target import Plan

HALF = 0.5  # share of outliers in the test of figure 7
N_REFERENCES = 640  # training images whose mean tells D's sign
HOW = (
    f'ALOCC(fidelity="authors", epochs={AUTHORS_EPOCHS}, orientation="training",'
    ' select_epoch="mean")'
)


def digits_of(plan: Plan) -> tuple[int, ...]:
    """List the digits; the paper's two extremes in a quick run."""
    return tuple(range(10)) if plan.full else (DIGIT, 8)


def authors_pieces(plan: Plan, digits: tuple[int, ...]) -> list[dict]:
    """Ask for a run a digit, with the first seed: 20 epochs take minutes."""
    return [
        {"run": run_authors, "digit": digit, "seed": seeds_of(plan)[0], "mnist": mnist_of(plan)}
        for digit in digits
    ]


def run_authors(digit: int, seed: int, mnist: Path | None) -> dict:
    """Train on a digit; keep its scores, F1 and AUC by share of outliers, and of 1 what R draws."""
    from sklearn.metrics import roc_auc_score

    from alocc import protocols
    from alocc.datasets import one_class_split

    images = load_images(mnist)
    X_train = images.data[images.target == digit]
    detector = authors_run(mnist, select_epoch="mean", random_state=seed).fit(X_train)
    splits = {
        share: one_class_split(
            images.data,
            images.target,
            digit,
            share,
            X_test=images.test_data,
            y_test=images.test_target,
            random_state=seed,
        )
        for share in protocols.OUTLIER_SHARES
    }
    tested = np.unique(np.concatenate([split.test_index for split in splits.values()]))
    scores = pd.DataFrame(protocols.all_scores(detector, images.test_data[tested]), index=tested)
    measures = {
        (digit, seed, share): protocols.f1_auc(
            scores.loc[split.test_index], split.is_outlier, list(RULES)
        )
        for share, split in splits.items()
    }
    table = pd.concat(measures, names=["target", "seed", "outlier_share"])
    half = splits[HALF]
    result = {
        "program": "authors",
        "digit": digit,
        "seed": seed,
        "is_outlier": half.is_outlier,
        **{s: scores.loc[half.test_index, s].to_numpy(np.float32) for s in ("d_x", "d_rx")},
        "table": table.droplevel(-1).reset_index(),
    }
    if digit == DIGIT:
        result |= reconstructions(detector, images)
        # The raw sign, and with the test images some of the training's, whose mean tells it.
        detector.set_params(orientation="raw")
        some = np.concatenate([half.X_test, X_train[:N_REFERENCES]])
        by_epoch = protocols.scores_by_epoch(detector, some)["d_rx"]
        of_test, of_references = np.split(by_epoch, [len(half.X_test)], axis=1)
        result["by_epoch"] = [roc_auc_score(~half.is_outlier, scores) for scores in of_test]
        result["centers"] = of_references.mean(axis=1)
    return result
