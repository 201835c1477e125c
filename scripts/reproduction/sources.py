"""Where the published data come from: a folder named, Keras's cache, a download, or nowhere.

What a quick run cannot have, something that needs no file stands in for; a full run must have it.
"""

import contextlib
import os
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaal_alocc.files import keras_cache
from reproduction.target import sha256

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Of x_train, y_train, x_test and y_test one after the other: a file packed anew holds the same.
MNIST_ARRAYS_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
ANSWER = 4.0  # seconds for a server to answer, or to go on
PATIENCE = {"onecluster": 5.0, "mnist": 15.0}  # seconds for all of it: 45 KB and 11 MB
STAND_INS = {
    "onecluster": "make_onecluster(random_state=0) stands in for the published onecluster",
    "mnist": "scikit-learn's digits stand in for MNIST",
}


@dataclass(frozen=True)
class Published:
    """A published file: its address and SHA-256, its name, and where Keras's cache has it."""

    url: str
    sha256: str
    name: str
    cached: Path


# Where in a folder that was named they lie, and what is in them.
FOLDERS = {
    "ucsd": (("UCSD_Anomaly_Dataset.v1p2/UCSDped2", "UCSDped2", "."), ("Train", "Test")),
    "caltech": (("256_ObjectCategories", "caltech256/256_ObjectCategories", "."), ("257.clutter",)),
}


def folders(data_home: Path | None) -> list[Path]:
    """List the folders that were named, by an option and by GAAL_DATA_HOME."""
    named = (data_home, os.environ.get("GAAL_DATA_HOME"))
    return [Path(os.path.expanduser(folder)) for folder in named if folder]


def find_folder(name: str, data_home: Path | None) -> Path | None:
    """Find the folder of "ucsd", UCSD Ped2, or of "caltech", Caltech-256, where it was put."""
    places, inside = FOLDERS[name]
    for home in folders(data_home):
        for place in places:
            if all((home / place / part).is_dir() for part in inside):
                return home / place
    return None


def published(name: str) -> Published:
    """Describe "onecluster" or "mnist"."""
    from gaal import datasets

    cache = keras_cache()
    if name == "mnist":
        return Published(MNIST_URL, MNIST_SHA256, "mnist.npz", cache / "datasets" / "mnist.npz")
    url = datasets.DATA_URL.format(name=name)
    return Published(url, datasets.PUBLISHED[name].sha256, name, cache / "gaal" / name)


def holds_mnist(path: Path) -> bool:
    """Whether a file in Keras's format holds MNIST, however it was packed."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = [arrays[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    whole = np.concatenate([np.ravel(part).astype(np.uint8) for part in parts])
    return sha256(whole) == MNIST_ARRAYS_SHA256


def find(name: str, data_home: Path | None, offline: bool) -> tuple[Path | None, str]:
    """Find a published file: where it was put, in Keras's cache, or by a short download.

    Returns its path, None if it is not there, and where it comes from, or why it is not there.
    Raises ValueError if the file in a folder that was named is not the published one.
    """
    file = published(name)
    for folder in folders(data_home):
        for path in (folder / file.name, folder / "gaal" / file.name):
            if path.is_file():
                if sha256(path) != file.sha256 and not (name == "mnist" and holds_mnist(path)):
                    raise ValueError(
                        f"{path} is not the published {file.name}: its SHA-256 is"
                        f" {sha256(path)}, expected {file.sha256}"
                    )
                return path, f"{name} from {path}"
    if file.cached.is_file() and sha256(file.cached) == file.sha256:
        return file.cached, f"{name} from {file.cached}"
    if offline:
        return None, f"{STAND_INS[name]} (--offline)"
    why = download(file, PATIENCE[name])
    if why:
        return None, f"{STAND_INS[name]} ({file.url}: {why})"
    return file.cached, f"{name} downloaded to {file.cached}"


def download(file: Published, patience: float) -> str:
    """Put a file into Keras's cache if it arrives in time; say why if it does not.

    Looking a name up and connecting cannot be cut short: a thread does it, and may be left behind.
    """
    deadline = time.monotonic() + patience
    answered = threading.Event()
    told = [f"no answer in {ANSWER:g} s"]

    def fetch() -> None:
        with contextlib.ExitStack() as stack:
            answer = stack.enter_context(urllib.request.urlopen(file.url, timeout=ANSWER))
            told[0] = f"not all of it in {patience:g} s"
            answered.set()
            file.cached.parent.mkdir(parents=True, exist_ok=True)
            aside = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=".download-", dir=file.cached.parent)
            )
            fresh = Path(aside) / file.name
            with fresh.open("wb") as out:
                while block := answer.read1(1 << 16):
                    if time.monotonic() > deadline:
                        return
                    out.write(block)
            if sha256(fresh) != file.sha256:
                told[0] = f"not the published file: SHA-256 {sha256(fresh)}"
                return
            os.replace(fresh, file.cached)
            told[0] = ""

    def fetch_or_tell() -> None:
        try:
            fetch()
        except (OSError, ValueError) as error:  # HTTPError and URLError are OSErrors
            told[0] = str(error)
        finally:
            answered.set()

    thread = threading.Thread(target=fetch_or_tell, daemon=True)
    thread.start()
    if answered.wait(ANSWER + 0.5):
        thread.join(max(0.0, deadline - time.monotonic()) + ANSWER)
    return told[0]


def everything(names: Iterable[str], data_home: Path | None, offline: bool) -> Path:
    """Make sure that data sets of GAAL are at hand, or download them; say where to look first.

    Raises OSError if a file is missing and cannot be downloaded, ValueError if a file is not the
    published one.
    """
    from gaal import datasets

    named = next(iter(folders(data_home)), keras_cache())
    folder = inner if (inner := named / "gaal").is_dir() else named
    for name in names:
        datasets.load_dataset(name, data_home=folder, download=not offline)
    return folder


def all_of_mnist(data_home: Path | None, offline: bool) -> Path:
    """Find MNIST, or download it into Keras's cache.

    Raises OSError if it is missing and cannot be downloaded, ValueError if a file in a folder that
    was named is not the published one.
    """
    from alocc.datasets import load_mnist

    path, _ = find("mnist", data_home, offline=True)
    if path is None:
        load_mnist(download=not offline)  # Keras checks and keeps the file
        path = published("mnist").cached
    return path
