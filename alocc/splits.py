"""The one-class protocol: one class is the inliers, the rest are outliers."""

import numpy as np
from sklearn.utils import Bunch, check_random_state


def one_class_split(
    X: np.ndarray,
    y: np.ndarray,
    target: object,
    outlier_share: float | None = None,
    *,
    X_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    test_share: float = 0.2,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Split labelled images as the paper does: one class is the inliers, the rest outliers.

    Training sees the target class only. The test part is its images and, at the given share,
    outliers drawn without replacement from all other classes (section 4.1).

    Parameters
    ----------
    X : array of shape (n, height, width) or (n, height, width, channels)
        Images to train on and, without ``X_test``, to test on.
    y : array of shape (n,)
        Their classes.
    target : label, sequence of labels or "all"
        The class of the inliers, or classes; "all" for all of y, unless a class has that name.
        A label is found by value, or by its text ("1" finds 1).
    outlier_share : float in [0, 1), optional
        Outliers among all test images, in the paper 0.1 to 0.5. By default every image of
        the other classes is in the test.
    X_test, y_test : arrays, optional
        Images to test on. Without them ``test_share`` of the target's images is held out,
        and outliers come from X.
    test_share : float in (0, 1), default=0.2
        Share of the target's images held out where there is no test part.
    random_state : int, RandomState or None
        Seeds what is held out, and which outliers are drawn.

    Returns
    -------
    Bunch
        X_train, the inliers, in their order; X_test; labels (m,), the classes of X_test;
        is_outlier (m,), bool; train_index and test_index, rows of X (of X_test where given).
        Inliers come first in the test, in order, then the outliers.

    Raises
    ------
    ValueError
        If the target is no label, naming those there are; for a bad share; or if there are
        too few outliers, or inliers to hold out.
    """
    if outlier_share is not None and not 0 <= outlier_share < 1:
        raise ValueError(f"outlier_share={outlier_share!r}, expected a share in [0, 1).")
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test come together: one is missing.")
    rng = check_random_state(random_state)
    y = _check_labels(X, y, "y")
    targets = _find_labels(y, target, "y")
    train = np.flatnonzero(np.isin(y, targets))
    if X_test is None:
        if not 0 < test_share < 1:
            raise ValueError(f"test_share={test_share!r}, expected a share in (0, 1).")
        n_held_out = round(test_share * len(train))
        if not 0 < n_held_out < len(train):
            raise ValueError(
                f"test_share={test_share} of the {len(train)} images of target {target!r}"
                f" are {n_held_out}: nothing to test or to train on."
            )
        inliers = np.sort(rng.permutation(train)[:n_held_out])
        train = np.setdiff1d(train, inliers)
        X_test, y_test = X, y
    else:
        y_test = _check_labels(X_test, y_test, "y_test")
        targets = _find_labels(y_test, targets, "y_test")
        inliers = np.flatnonzero(np.isin(y_test, targets))
    outliers = np.flatnonzero(~np.isin(y_test, targets))
    if outlier_share is not None:
        wanted = round(len(inliers) * outlier_share / (1 - outlier_share))
        if wanted > len(outliers):
            raise ValueError(
                f"outlier_share={outlier_share} beside {len(inliers)} inliers takes {wanted}"
                f" outliers, but there are {len(outliers)}."
            )
        outliers = np.sort(rng.permutation(outliers)[:wanted])
    test = np.concatenate([inliers, outliers])
    return Bunch(
        X_train=X[train],
        X_test=X_test[test],
        labels=y_test[test],
        is_outlier=np.arange(len(test)) >= len(inliers),
        train_index=train,
        test_index=test,
    )


def _check_labels(X: np.ndarray, y: np.ndarray, name: str) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (len(X),):
        raise ValueError(f"{name} has shape {y.shape}, expected a label for each of {len(X)} rows.")
    return y


def _find_labels(y: np.ndarray, target: object, name: str) -> list:
    """Find the labels of y that are among the targets, of which y need have, and y_test one."""
    labels = np.unique(y)
    several = isinstance(target, list | tuple | set | np.ndarray)
    found, missing = [], []
    for wanted in target if several else [target]:
        same = [label for label in labels if label == wanted or str(label) == str(wanted)]
        found += same
        missing += [] if same else [wanted]
    if name == "y" and [str(label) for label in missing] == ["all"]:
        return list(labels)
    if missing and (name == "y" or not found):
        there = ", ".join(str(label) for label in labels)
        missing = np.array(missing).tolist()
        missing = missing[0] if len(missing) == 1 else missing
        raise ValueError(f"target={missing!r} is not among the labels of {name}: {there}.")
    return found
