"""One digit as the target class: runs that the paper's figures 6, 7 and 8 share."""

from pathlib import Path

import numpy as np
import pandas as pd

from reproduction.alocc_runs import (
    AUTHORS_EPOCHS,
    DIGIT,
    EARLY_STOP,
    RULES,
    a_run_a_seed,
    authors_run,
    images_of,
    load_images,
    mnist_of,
    reconstructions,
    seeds_of,
    short_run,
)
from reproduction.target import Plan

HALF = 0.5  # share of outliers in the test of figure 7
N_REFERENCES = 640  # training images whose mean tells D's sign
AUTHORS = (
    f'ALOCC(fidelity="authors", epochs={AUTHORS_EPOCHS}, orientation="training",'
    ' select_epoch="mean")'
)
EQUAL = (
    "Once R reproduces an image, D(R(x)) is D(x): by the authors' own program the two hardly"
    " differ from the fifth epoch on."
)


def digits_of(plan: Plan) -> tuple[int, ...]:
    """List the digits; one in a quick run, in which nothing of them is judged."""
    return tuple(range(10)) if plan.full else (DIGIT,)


def authors_pieces(plan: Plan, digits: tuple[int, ...]) -> list[dict]:
    """Ask for a run of the authors' program a digit, which takes minutes: with the first seed."""
    return [
        {"run": run_authors, "digit": digit, "seed": seeds_of(plan)[0], "mnist": mnist_of(plan)}
        for digit in digits
    ]


def early_pieces(plan: Plan, method: str, digits: tuple[int, ...]) -> list[dict]:
    """Ask for a run of the port a digit and seed."""
    return [
        {"run": run_early, "method": method, "digit": digit, **piece}
        for digit in digits
        for piece in a_run_a_seed(plan)
    ]


def run_authors(digit: int, seed: int, mnist: Path | None) -> dict:
    """Train on all images of a digit, and measure; of 1 also what R draws, and D by epoch."""
    from sklearn.metrics import roc_auc_score

    from alocc import protocols

    images = load_images(mnist)
    X_train = images.data[images.target == digit]
    detector = authors_run(mnist, select_epoch="mean", random_state=seed).fit(X_train)
    result = {"program": "authors", "images": images_of(mnist)}
    result |= measure(detector, digit, seed, images)
    if digit == DIGIT:
        result |= reconstructions(detector, images)
        # The raw sign, and with the test images some of the training's, whose mean tells it.
        detector.set_params(orientation="raw")
        half = split_at(HALF, digit, seed, images)
        some = np.concatenate([half.X_test, X_train[:N_REFERENCES]])
        by_epoch = protocols.scores_by_epoch(detector, some)["d_rx"]
        of_test, of_references = np.split(by_epoch, [len(half.X_test)], axis=1)
        result["by_epoch"] = [roc_auc_score(~half.is_outlier, scores) for scores in of_test]
        result["centers"] = of_references.mean(axis=1)
    return result


def run_early(method: str, digit: int, seed: int, mnist: Path | None) -> dict:
    """Train the port on the first images of a digit, and measure."""
    images = load_images(mnist)
    detector = short_run(mnist, fidelity=method, random_state=seed)
    detector.fit(images.data[images.target == digit][:EARLY_STOP])
    result = {"program": method, "images": images_of(mnist)}
    if mnist is None:  # they are so few that it has trained on all, as figure 6's
        result |= reconstructions(detector, images)
    return result | measure(detector, digit, seed, images)


def run_lof(digit: int, seed: int, mnist: Path | None) -> dict:
    """Measure LOF among the test images themselves, as the paper's."""
    from alocc import protocols

    images = load_images(mnist)
    table = protocols.f1_auc_by_outlier_share(
        protocols.UnsupervisedLOF(),
        images.data,
        images.target,
        X_test=images.test_data,
        y_test=images.test_target,
        targets=[digit],
        seeds=[seed],
        threshold=list(RULES),
        name="LOF",
    )
    result = {"program": "LOF", "images": images_of(mnist), "digit": digit, "seed": seed}
    return {**result, "table": table}


def measure(detector, digit: int, seed: int, images) -> dict:
    """Keep F1 and AUC by share of outliers, and the scores among as many outliers as inliers."""
    from alocc import protocols

    splits = {share: split_at(share, digit, seed, images) for share in protocols.OUTLIER_SHARES}
    tested = np.unique(np.concatenate([split.test_index for split in splits.values()]))
    scores = protocols.all_scores(detector, images.test_data[tested])
    scores = pd.DataFrame(scores, index=tested)
    measures = {
        (digit, seed, share): protocols.f1_auc(
            scores.loc[split.test_index], split.is_outlier, list(RULES)
        )
        for share, split in splits.items()
    }
    table = pd.concat(measures, names=["target", "seed", "outlier_share"])
    half = splits[HALF]
    return {
        "digit": digit,
        "seed": seed,
        "is_outlier": half.is_outlier,
        "scores": scores.loc[half.test_index].astype(np.float32).reset_index(drop=True),
        "table": table.droplevel(-1).reset_index(),
    }


def split_at(share: float, digit: int, seed: int, images):
    """Test images of the digit, and of all others at a share; the seed decides which."""
    from alocc.datasets import one_class_split

    return one_class_split(
        images.data,
        images.target,
        digit,
        share,
        X_test=images.test_data,
        y_test=images.test_target,
        random_state=seed,
    )
