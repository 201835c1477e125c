"""The 47 classical data sets of ADBench, the benchmark of tabular outlier detection.

Han et al., "ADBench: Anomaly Detection Benchmark", NeurIPS 2022 (arXiv:2206.09426).
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch

from gaal import downloads, tables

ADBENCH_URL = (
    "https://raw.githubusercontent.com/Minqi824/ADBench/"
    "f7fed68dea6901fe9a81ed51b251b1d2456790cd/adbench/datasets/Classical/{name}.npz"
)


@dataclass(frozen=True)
class ADBenchSet:
    """One data set, as ADBench's table of them has it, and its checksum where it is known."""

    rows: int
    features: int
    outliers: int
    sha256: str | None = None


# fmt: off
#: The 47 sets by name.
ADBENCH: dict[str, ADBenchSet] = {
    "1_ALOI": ADBenchSet(49534, 27, 1508,
        "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477"),
    "2_annthyroid": ADBenchSet(7200, 6, 534,
        "e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b"),
    "3_backdoor": ADBenchSet(95329, 196, 2329),
    "4_breastw": ADBenchSet(683, 9, 239),
    "5_campaign": ADBenchSet(41188, 62, 4640,
        "74dd4d0072d6c6f1aabab63bc102f9633454f32bb936fa9bcfbd38f9f2386bcd"),
    "6_cardio": ADBenchSet(1831, 21, 176),
    "7_Cardiotocography": ADBenchSet(2114, 21, 466,
        "5ae84910430f05923e11b6f537243263977c9136949dabd891e3570aeec51e29"),
    "8_celeba": ADBenchSet(202599, 39, 4547,
        "1cadfdea14cd8d240eca715a70c09c88af8621d086a7478c63f602d97adef0b5"),
    "9_census": ADBenchSet(299285, 500, 18568),
    "10_cover": ADBenchSet(286048, 10, 2747,
        "945a097c3542ae81a551bf1c06dcad78a755d94f84fcaf1d60687e42d1a656df"),
    "11_donors": ADBenchSet(619326, 10, 36710,
        "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679"),
    "12_fault": ADBenchSet(1941, 27, 673),
    "13_fraud": ADBenchSet(284807, 29, 492),
    "14_glass": ADBenchSet(214, 7, 9),
    "15_Hepatitis": ADBenchSet(80, 19, 13),
    "16_http": ADBenchSet(567498, 3, 2211,
        "9d98710091551587f4740cfc851a6b064fff6319a337c2dc77ee6da4bcc2e02c"),
    "17_InternetAds": ADBenchSet(1966, 1555, 368,
        "bdd8ad5cf5bf2cb96cba53dde30d522d0f6a279083a8e2bc7efbac5981b04385"),
    "18_Ionosphere": ADBenchSet(351, 32, 126,
        "bca46cb0cfd1bf9ddef6cde5ad2215d54fb0189508d0d4c4eb98e788cad69001"),
    "19_landsat": ADBenchSet(6435, 36, 1333,
        "ba17e2158c07469597b89db49d3982c874c6b713ff6670721ddc88969da77987"),
    "20_letter": ADBenchSet(1600, 32, 100),
    "21_Lymphography": ADBenchSet(148, 18, 6,
        "dad977b04f4ea65b78ccd0e9f76b45175bad605165b37e63f3cc177845e67037"),
    "22_magic.gamma": ADBenchSet(19020, 10, 6688),
    "23_mammography": ADBenchSet(11183, 6, 260),
    "24_mnist": ADBenchSet(7603, 100, 700,
        "be7706272325fdd3592c1be555ae1a82f916a2f8545f4f8cbaa548ab102cc44c"),
    "25_musk": ADBenchSet(3062, 166, 97,
        "2ed3f4392197b76a1e59116ff880c7720a4b026cf4842073a53b56fdea265017"),
    "26_optdigits": ADBenchSet(5216, 64, 150),
    "27_PageBlocks": ADBenchSet(5393, 10, 510,
        "10a9b4d5bb5d3b9083caab4c4062f665610eada703c3d927bf7c34b1f2d0d223"),
    "28_pendigits": ADBenchSet(6870, 16, 156,
        "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79"),
    "29_Pima": ADBenchSet(768, 8, 268,
        "215454bb263a2f040945c9ea7bd7f06f1e89a61a3143bdb6f196e3887e801a7d"),
    "30_satellite": ADBenchSet(6435, 36, 2036),
    "31_satimage-2": ADBenchSet(5803, 36, 71,
        "1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f"),
    "32_shuttle": ADBenchSet(49097, 9, 3511,
        "26900b0f6be45d9ddb7a402c9b2f956ceda42d23a8ca4cf4406b8bc1352823d1"),
    "33_skin": ADBenchSet(245057, 3, 50859,
        "d02aa01ffc1b6bf2b8b1ac250c90e8a8eacd0cefc962940ed5cc4bf5deac9c95"),
    "34_smtp": ADBenchSet(95156, 3, 30),
    "35_SpamBase": ADBenchSet(4207, 57, 1679,
        "d0c46c7928e43f6496bcd06e09de0b70f6bc8143792dfa0a43f450263d254e9b"),
    "36_speech": ADBenchSet(3686, 400, 61),
    "37_Stamps": ADBenchSet(340, 9, 31,
        "99fe739447284f613fa54bf2dccdb51c5120175ce6260adec6dad77576c42509"),
    "38_thyroid": ADBenchSet(3772, 6, 93),
    "39_vertebral": ADBenchSet(240, 6, 30,
        "0816286f92b96fe6867664a41a031ac7228dcfbf1a5feefe50ca3883b2e9073d"),
    "40_vowels": ADBenchSet(1456, 12, 50),
    "41_Waveform": ADBenchSet(3443, 21, 100,
        "6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f"),
    "42_WBC": ADBenchSet(223, 9, 10,
        "650f9dcb129248f67a291be0974f533ef259fcbde50fce5c8ad2a1cb2652d03b"),
    "43_WDBC": ADBenchSet(367, 30, 10,
        "78d4606a1ab516f5b60b00c196497f3bbd6bd5e4548fd04cf5f2475209b34b85"),
    "44_Wilt": ADBenchSet(4819, 5, 257,
        "c70b72aa611ec87b20efb400943ef3ce4f8bf7aa58fcef825fbd28cc5cee3cc9"),
    "45_wine": ADBenchSet(129, 13, 10),
    "46_WPBC": ADBenchSet(198, 33, 47,
        "68a6d67242643855713bcdad07d89ecc472bd00000dccc17ba87916eb2693d19"),
    "47_yeast": ADBenchSet(1484, 8, 507),
}
# fmt: on


def load_adbench(
    name: str | int,
    *,
    data_home: str | os.PathLike | None = None,
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load one of the 47 classical data sets of ADBench.

    The file, such as ``10_cover.npz``, is looked for and downloaded as by
    :func:`gaal.datasets.load_dataset`, from one commit of ADBench's repository. Whatever is read
    has the known SHA-256, or, of the 19 sets of which none is known here, the published numbers
    of rows, features and outliers. Nothing is unpickled.

    Parameters
    ----------
    name : str or int
        The number, 1 to 47, the name, or both as the file has them: 10, "cover" or "10_cover".
        Upper and lower case are the same. ``gaal.datasets.ADBENCH`` lists them.
    data_home, download, return_X_y
        As of :func:`gaal.datasets.load_dataset`.

    Returns
    -------
    Bunch or tuple of (ndarray, ndarray)
        As from :func:`gaal.datasets.load_dataset`, but for ``data``: of the dtype that the file
        has, float64 or integers, and not scaled; the detectors take ``scale="minmax"``.

    Raises
    ------
    ValueError, FileNotFoundError, OSError
        As :func:`gaal.datasets.load_dataset` does.
    """
    name = adbench_name(name)
    file = downloads.PublishedFile(
        name,
        f"{name}.npz",
        ADBENCH_URL.format(name=name),
        ADBENCH[name].sha256,
        functools.partial(_read, name),
        "load_table",
    )
    bunch = file.find(data_home) or file.fetch(data_home, download)
    return (bunch.data, bunch.target) if return_X_y else bunch


def adbench_name(name: str | int) -> str:
    """Complete a number or a name to both, such as "10_cover"; a ValueError where there is none."""
    known = {spelling.casefold(): whole for whole in ADBENCH
             for spelling in (whole, *whole.split("_"))}  # fmt: skip
    wanted = str(name).casefold() if isinstance(name, (str, Integral)) else None
    if wanted not in known:
        raise ValueError(
            f"name={name!r} is no data set of ADBench; expected a number from 1 to {len(ADBENCH)}"
            f" or one of {', '.join(ADBENCH)}."
        )
    return known[wanted]


def customized(detector: BaseEstimator) -> type:
    """Make of a detector the class that ADBench's own programs run beside their detectors.

    Parameters
    ----------
    detector : estimator
        SOGAAL, MOGAAL, or any with ``random_state`` and ``score_samples`` as in scikit-learn,
        which is higher for an inlier. It is cloned for every run.

    Returns
    -------
    type
        With the calls of ADBench's ``Customized``: it is made with ``seed`` and ``model_name``,
        has ``fit(X_train, y_train)``, which learns nothing from ``y_train``, and
        ``predict_score(X)``, of shape (n,), higher for an outlier.

    Examples
    --------
    >>> from gaal import MOGAAL
    >>> from gaal.adbench import customized
    >>> model = customized(MOGAAL(stop_epochs=20))(seed=1, model_name="MOGAAL")
    """

    class Customized:
        def __init__(self, seed: int, model_name: str | None = None) -> None:
            self.seed = seed
            self.model_name = model_name

        def fit(self, X_train: np.ndarray, y_train: np.ndarray | None = None) -> Self:
            self.model = clone(detector).set_params(random_state=self.seed).fit(X_train)
            return self

        def predict_score(self, X: np.ndarray) -> np.ndarray:
            return -self.model.score_samples(X)

    return Customized


def _read(name: str, path: Path, source: str) -> Bunch:
    """Read a file, which has to be of the published size."""
    entry = ADBENCH[name]
    expected = (entry.rows, entry.features, entry.outliers)
    X, y = tables.read_npz(path)
    X = tables.check_rows(path, X, dtype=None)
    target = np.zeros(len(X), int) if y is None else np.ravel(y)
    found = (*X.shape, int((target == 1).sum()))
    if found != expected or not np.isin(target, (0, 1)).all():
        has = "it has {} rows, {} features and {} outliers".format(*found)
        wanted = "{}, {} and {}".format(*expected)
        raise downloads.not_published(path, name, has, wanted, "load_table")
    return tables.make_bunch(
        name,
        np.arange(len(X)),
        target.astype(np.int64),
        X,
        source=source,
        filename=path,
        note="One of ADBench's classical data sets (Han et al., NeurIPS 2022).\n",
    )
