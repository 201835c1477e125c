"""ADBench's 47 sets: by any of their names, checked, as they come, from where the twelve come."""

import dataclasses
import hashlib
import pickle
from pathlib import Path

import keras  # noqa: F401 -- before a test changes KERAS_HOME, which its import reads
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from gaal import SOGAAL, adbench
from gaal.datasets import ADBENCH, load_adbench, load_table

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "adbench"
X = np.array([[1, -7], [3, 4], [2, 9], [30, 0]], np.int16)
Y = np.array([0, 0, 1, 0])
SMALL = adbench.ADBenchSet(4, 2, 1)


@pytest.fixture(autouse=True)
def no_data_at_hand(monkeypatch, tmp_path):
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "served").mkdir()
    url = (tmp_path / "served").as_uri()
    monkeypatch.setattr(adbench, "ADBENCH_URL", url + "/{name}.npz")


@pytest.fixture(params=["checksum known", "size known"])
def small_set(monkeypatch, tmp_path, request):
    """Let a file of four rows be one of the sets, with or without a checksum; gives its bytes."""
    path = tmp_path / "small.npz"
    np.savez(path, X=X, y=Y)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest() if request.param == "checksum known" else None
    monkeypatch.setitem(ADBENCH, "10_cover", dataclasses.replace(SMALL, sha256=sha256))
    return content


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def damaged(path):
    """A file of the right kind with the labels of another set."""
    np.savez(path, X=X, y=1 - Y)
    return path.read_bytes()


def test_there_are_47_sets_in_the_order_of_their_numbers():
    assert [int(name.split("_")[0]) for name in ADBENCH] == list(range(1, 48))
    assert sum(entry.sha256 is not None for entry in ADBENCH.values()) == 28
    largest = max(ADBENCH, key=lambda name: ADBENCH[name].rows)
    assert (largest, ADBENCH[largest].rows) == ("11_donors", 619326)


@pytest.mark.parametrize("name", [10, "10", "cover", "Cover", "10_cover", np.int64(10)])
def test_a_set_goes_by_its_number_its_name_or_both(small_set, tmp_path, name):
    write(tmp_path / "home" / "10_cover.npz", small_set)
    bunch = load_adbench(name, data_home=tmp_path / "home", download=False)
    assert bunch.DESCR.startswith("10_cover: 4 rows, 2 features, 1 outliers")


@pytest.mark.parametrize("name", [0, 48, "", "11_cover", "Annthyroid2", None, 1.0, "satimage"])
def test_another_name_is_refused_with_the_right_ones(name):
    with pytest.raises(ValueError, match="no data set of ADBench") as info:
        load_adbench(name)
    assert all(known in str(info.value) for known in ADBENCH)


def test_rows_and_labels_come_as_they_are(small_set, tmp_path):
    path = write(tmp_path / "10_cover.npz", small_set)
    bunch = load_adbench("cover", data_home=tmp_path)
    assert bunch.data.dtype == np.int16
    np.testing.assert_array_equal(bunch.data, X)
    assert bunch.target.dtype == np.int64
    np.testing.assert_array_equal(bunch.target, Y)
    assert bunch.filename == str(path)
    assert bunch.frame["label"].tolist() == ["nor", "nor", "out", "nor"]
    data, target = load_adbench("cover", data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(target, Y)


def test_data_home_comes_before_the_environment_and_the_cache(small_set, monkeypatch, tmp_path):
    folders = [tmp_path / "home", tmp_path / "env", tmp_path / "keras" / "gaal"]
    paths = [write(folder / "10_cover.npz", small_set) for folder in folders]
    monkeypatch.setenv("GAAL_DATA_HOME", str(folders[1]))
    for path in paths:
        bunch = load_adbench(10, data_home=folders[0], download=False)
        assert bunch.filename == str(path)
        path.unlink()
    with pytest.raises(FileNotFoundError, match="download=False") as info:
        load_adbench(10, data_home=folders[0], download=False)
    assert all(str(path) in str(info.value) for path in paths)


def test_a_download_is_kept_and_replaces_a_damaged_file(small_set, tmp_path):
    served = write(tmp_path / "served" / "10_cover.npz", small_set)
    cached = tmp_path / "keras" / "gaal" / "10_cover.npz"
    write(cached, damaged(tmp_path / "other.npz"))
    with pytest.raises(ValueError, match="not the published 10_cover"):
        load_adbench(10, download=False)
    np.testing.assert_array_equal(load_adbench(10).data, X)
    served.unlink()
    np.testing.assert_array_equal(load_adbench(10).data, X)
    assert [path.name for path in cached.parent.iterdir()] == ["10_cover.npz"]


@pytest.mark.parametrize("content", ["another set", "a web page", "nothing"])
def test_what_is_not_the_set_is_not_kept(small_set, tmp_path, content):
    served = tmp_path / "served" / "10_cover.npz"
    if content == "another set":
        damaged(served)
    elif content == "a web page":
        served.write_bytes(b"<html></html>")
    old = write(tmp_path / "keras" / "gaal" / "10_cover.npz", b"an old file")
    with pytest.raises(OSError, match="Could not download the data set 10_cover from file:"):
        load_adbench(10)
    assert [path.name for path in old.parent.iterdir()] == ["10_cover.npz"]
    assert old.read_bytes() == b"an old file"


def test_a_wrong_file_is_named_with_what_it_has_and_should_have(monkeypatch, tmp_path):
    damaged(tmp_path / "10_cover.npz")
    with pytest.raises(ValueError, match=r"SHA-256 is .* expected 945a097c") as info:
        load_adbench("cover", data_home=tmp_path)
    assert str(tmp_path / "10_cover.npz") in str(info.value)
    monkeypatch.setitem(ADBENCH, "10_cover", SMALL)
    with pytest.raises(ValueError, match="4 rows, 2 features and 3 outliers, expected 4, 2 and 1"):
        load_adbench("cover", data_home=tmp_path)


@pytest.mark.parametrize("labels", [[0, 2, 1, 0], [0.5, 0, 1, 0], None])
def test_labels_other_than_0_and_1_are_not_the_set(monkeypatch, tmp_path, labels):
    monkeypatch.setitem(ADBENCH, "10_cover", SMALL)
    np.savez(tmp_path / "10_cover.npz", X=X, **({} if labels is None else {"y": labels}))
    with pytest.raises(ValueError, match="not the published 10_cover"):
        load_adbench("cover", data_home=tmp_path)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def test_nothing_is_unpickled(monkeypatch, tmp_path):
    monkeypatch.setitem(ADBENCH, "10_cover", SMALL)
    path = tmp_path / "10_cover.npz"
    np.savez(path, X=np.array([Evil()] * 4, object), y=Y)
    with pytest.raises(ValueError, match="Python objects, which are not unpickled"):
        load_adbench("cover", data_home=tmp_path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"10_cover\.npz"):
        load_adbench("cover", data_home=tmp_path)


class Middle(BaseEstimator):
    """Scores rows by how near they are to the middle, and remembers what it was given."""

    given = None

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        type(self).given = (X, y, self.random_state)
        self.middle_ = X.mean(axis=0)
        return self

    def score_samples(self, X):
        return -np.abs(X - self.middle_).sum(axis=1)


def run_as_adbench_does(clf, seed, X_train, y_train, X_test):
    """Make, fit and score a class with the calls and the names of ADBench's own programs."""
    clf = clf(seed=seed, model_name="Customized")
    clf = clf.fit(X_train=X_train, y_train=y_train)
    return clf.predict_score(X_test)


def test_a_detector_is_run_as_one_of_adbenchs_own():
    rng = np.random.default_rng(0)
    inliers, new = rng.random((50, 2)), np.array([[0.5, 0.5], [3, 3]])
    clf = adbench.customized(Middle())
    labels = np.zeros(50, int)
    first = run_as_adbench_does(clf, 1, inliers, labels, new)
    assert first.shape == (2,)
    assert first[1] > first[0]  # higher for an outlier
    assert Middle.given[0] is inliers
    assert Middle.given[1:] == (None, 1)  # no label, the seed
    run_as_adbench_does(clf, 2, inliers, labels, new)  # the class again, for another cell
    assert Middle.given[2] == 2


@pytest.mark.slow
def test_gaal_is_run_as_one_of_adbenchs_own():
    rng = np.random.default_rng(0)
    train, test = rng.random((100, 2), np.float32), rng.random((20, 2), np.float32)
    labels = np.zeros(100, int)
    clf = adbench.customized(SOGAAL(stop_epochs=2))
    score = run_as_adbench_does(clf, 3, train, labels, test)
    expected = SOGAAL(stop_epochs=2, random_state=3).fit(train).score_samples(test)
    np.testing.assert_array_equal(score, -expected)


@pytest.mark.skipif(not SHARED.is_dir(), reason="ADBench's files are not at hand")
@pytest.mark.parametrize("name", ["21_Lymphography", "32_shuttle"])
def test_a_published_file_is_read_as_load_table_reads_it(name):
    bunch, table = load_adbench(name, data_home=SHARED), load_table(SHARED / f"{name}.npz")
    np.testing.assert_array_equal(bunch.data, table.data)
    np.testing.assert_array_equal(bunch.target, table.target)
    assert (*bunch.data.shape, bunch.target.sum()) == dataclasses.astuple(ADBENCH[name])[:3]
    assert bunch.data.dtype == (np.int16 if name == "32_shuttle" else np.float64)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="ADBench's files are not at hand")
def test_all_published_files_at_hand_are_the_published_ones():
    names = {path.stem for path in SHARED.glob("*.npz")}
    assert names == {name for name, entry in ADBENCH.items() if entry.sha256}
    for name in names:
        X, y = load_adbench(name, data_home=SHARED, return_X_y=True)
        assert (*X.shape, y.sum()) == dataclasses.astuple(ADBENCH[name])[:3]
