import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import keras  # noqa: F401 -- before a test changes KERAS_HOME, which its import reads
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaal import datasets
from gaal.datasets import PUBLISHED, PublishedSet, load_csv, load_dataset, make_onecluster

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "gaal"
needs_published_files = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the published files are not at hand"
)
SMALL = b'1,"nor",0.5,0.25\n2,"out",1,0\n3,"nor",0.75,0.125\n'


@pytest.fixture(autouse=True)
def no_data_at_hand(monkeypatch, tmp_path):
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(datasets, "DATA_URL", "http://127.0.0.1:9/{name}")


@pytest.fixture
def cached(tmp_path):
    return tmp_path / "keras" / "gaal" / "Pima"


@pytest.fixture
def small_pima(monkeypatch):
    """Let a file of three rows be the published Pima."""
    sha256 = hashlib.sha256(SMALL).hexdigest()
    monkeypatch.setitem(PUBLISHED, "Pima", PublishedSet(3, 2, 1, 200, 250, sha256))
    return SMALL


@pytest.fixture
def served(monkeypatch, tmp_path):
    """The folder that is the published address, in which files are to be put."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setattr(datasets, "DATA_URL", folder.as_uri() + "/{name}")
    return folder


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


# WDBC, rebuilt


def test_wdbc_has_the_checksums_of_the_published_values():
    wdbc = load_dataset("WDBC", download=False)
    values = np.ascontiguousarray(np.round(wdbc.data, 12), dtype="<f8")
    assert (
        hashlib.sha256(values.tobytes()).hexdigest()
        == "a05b0c34dbcff31c30632e032341183782123fac1ffbde13e9629cb404082caa"
    )
    assert (
        hashlib.sha256(np.asarray(wdbc.ids, "<i8").tobytes()).hexdigest()
        == "f31cc27f31e28624dced653d9ed73883db41f1f721e90dbaa2cb2589582eb8e1"
    )
    assert wdbc.target.tolist() == [1] * 10 + [0] * 357


@needs_published_files
def test_wdbc_equals_the_published_file_row_by_row():
    rebuilt, published = load_dataset("WDBC"), load_dataset("WDBC", data_home=SHARED)
    assert rebuilt.filename is None
    assert published.filename == str(SHARED / "WDBC")
    np.testing.assert_allclose(rebuilt.data, published.data, rtol=0, atol=5e-16)
    np.testing.assert_array_equal(rebuilt.ids, published.ids)
    np.testing.assert_array_equal(rebuilt.target, published.target)
    assert rebuilt.feature_names == published.feature_names


def test_the_bunch_is_like_scikit_learns():
    wdbc = load_dataset("WDBC")
    assert wdbc.data.dtype == np.float64
    assert wdbc.data.shape == (367, 30)
    assert wdbc.target.dtype == np.int64
    assert wdbc.target_names == ["nor", "out"]
    assert list(wdbc.frame.columns) == ["id", "label", *wdbc.feature_names]
    assert wdbc.frame["label"].eq("out").tolist() == wdbc.target.astype(bool).tolist()
    np.testing.assert_array_equal(wdbc.frame[wdbc.feature_names], wdbc.data)
    for phrase in ("367 rows, 30 features, 10 outliers", "load_breast_cancer", "only monitored"):
        assert phrase in wdbc.DESCR
    X, y = load_dataset("WDBC", return_X_y=True)
    np.testing.assert_array_equal(X, wdbc.data)
    np.testing.assert_array_equal(y, wdbc.target)


def test_the_frame_does_not_share_memory_with_the_data():
    wdbc = load_dataset("WDBC")
    before = wdbc.frame.copy()
    wdbc.data[:] = -1
    pd.testing.assert_frame_equal(wdbc.frame, before)


# Names and places


@pytest.mark.parametrize("name", ["wdbc", "WDBC", "Wdbc"])
def test_case_of_the_name_does_not_matter(name):
    assert load_dataset(name).DESCR.startswith("WDBC:")


@pytest.mark.parametrize("name", ["wine", "", None, 3])
def test_wrong_name_lists_the_right_ones(name):
    with pytest.raises(ValueError, match="no data set") as info:
        load_dataset(name)
    assert all(known in str(info.value) for known in PUBLISHED)


@needs_published_files
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_have_the_published_shape(name):
    bunch, entry = load_dataset(name, data_home=SHARED), PUBLISHED[name]
    assert bunch.data.shape == (entry.rows, entry.features)
    assert bunch.target.sum() == entry.outliers
    assert bunch.ids.shape == (entry.rows,)
    assert bunch.data.min() >= 0
    assert bunch.data.max() <= 1.0026
    assert f"{entry.so_stop_epochs} for SO-GAAL" in bunch.DESCR


def test_data_home_comes_before_the_environment_and_the_cache(
    small_pima, monkeypatch, tmp_path, cached
):
    paths = [tmp_path / "home" / "Pima", tmp_path / "env" / "Pima", cached]
    for path in paths:
        write(path, small_pima)
    monkeypatch.setenv("GAAL_DATA_HOME", str(paths[1].parent))
    for path in paths:
        bunch = load_dataset("Pima", data_home=paths[0].parent, download=False)
        assert bunch.filename == str(path)
        path.unlink()


def test_wrong_file_in_data_home_is_named_with_both_checksums(small_pima, tmp_path):
    path = write(tmp_path / "home" / "Pima", b"1,nor,0\n2,out,1\n")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="not the published Pima") as info:
        load_dataset("pima", data_home=path.parent)
    for part in (str(path), found, PUBLISHED["Pima"].sha256):
        assert part in str(info.value)


def test_wrong_wdbc_in_data_home_is_an_error_not_a_rebuild(tmp_path):
    write(tmp_path / "WDBC", SMALL)
    with pytest.raises(ValueError, match="not the published WDBC"):
        load_dataset("WDBC", data_home=tmp_path)


def test_without_download_the_error_tells_where_it_looked(monkeypatch, tmp_path, cached):
    monkeypatch.setenv("GAAL_DATA_HOME", str(tmp_path / "env"))
    with pytest.raises(FileNotFoundError, match="download=False") as info:
        load_dataset("Pima", data_home=tmp_path / "home", download=False)
    for path in (tmp_path / "home" / "Pima", tmp_path / "env" / "Pima", cached):
        assert str(path) in str(info.value)
    assert not cached.parent.exists()


def test_wrong_cached_file_is_an_error_without_download(small_pima, cached):
    write(cached, b"old")
    with pytest.raises(ValueError, match="not the published Pima"):
        load_dataset("Pima", download=False)


# Download


def test_download_is_cached_and_not_repeated(small_pima, served, cached):
    published = write(served / "Pima", small_pima)
    first = load_dataset("Pima")
    published.unlink()
    second = load_dataset("Pima")
    assert files_below(cached.parent) == ["Pima"]
    assert first.filename == str(cached)
    assert published.as_uri() in first.source
    np.testing.assert_array_equal(first.data, [[0.5, 0.25], [1, 0], [0.75, 0.125]])
    np.testing.assert_array_equal(first.data, second.data)
    assert first.target.tolist() == [0, 1, 0]


def test_download_replaces_a_damaged_cache(small_pima, served, cached):
    write(served / "Pima", small_pima)
    write(cached, small_pima[:-5])
    assert load_dataset("Pima").data.shape == (3, 2)
    assert cached.read_bytes() == small_pima


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (SMALL[:-5], "hash"), (b"<html></html>", "hash")],
)
@pytest.mark.parametrize("old", [None, b"an old file"])
def test_failed_download_is_named_and_keeps_the_cache(
    small_pima, served, cached, content, reason, old
):
    if content is not None:
        write(served / "Pima", content)
    if old is not None:
        write(cached, old)
    with pytest.raises(OSError, match="Could not download the data set Pima") as info:
        load_dataset("Pima")
    assert datasets.DATA_URL.format(name="Pima") in str(info.value)
    assert reason in str(info.value)
    assert files_below(cached.parent) == ([] if old is None else ["Pima"])
    if old is not None:
        assert cached.read_bytes() == old


def test_no_server_is_a_named_error(cached, monkeypatch):
    monkeypatch.setattr(datasets, "DATA_URL", "http://127.0.0.1:9/{name}")
    with pytest.raises(OSError, match=r"onecluster from http://127\.0\.0\.1:9/onecluster"):
        load_dataset("onecluster")
    assert files_below(cached.parent) == []


def test_cache_that_cannot_be_made_is_a_named_error(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(write(tmp_path / "file", b"")))
    with pytest.raises(OSError, match="Could not download the data set Pima"):
        load_dataset("Pima")


def test_loading_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys; from gaal.datasets import load_dataset; load_dataset('WDBC');"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2]
    )


# Files of the published format


def test_csv_may_be_quoted_spaced_and_hold_text_ids(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbf"a,1","out",1e-3,2\r\n\r\nNA, nor , 0.1 ,-3\r\n')
    bunch = load_csv(path)
    assert bunch.ids.tolist() == ["a,1", "NA"]
    assert bunch.target.tolist() == [1, 0]
    np.testing.assert_array_equal(bunch.data, [[1e-3, 2], [0.1, -3]])
    assert bunch.data.dtype == np.float64
    assert bunch.filename == str(path)
    X, y = load_csv(str(path), return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("1,out,5\n", "only one row"),
        ("1,out\n2,nor\n", r"line 1: 2 value\(s\); expected an id"),
        ("1;out;5\n2;nor;5\n", r"line 1: 1 value\(s\)"),
        ("1,out,5,6\n2,nor,7\n", r"line 2: 3 value\(s\); expected 4"),
        ("1,out,5\n2,nor,7,8\n", r"line 2: 4 value\(s\); expected 3"),
        ("1,out,5\n\n2,nor,7\n3,outlier,7\n", "line 4: the label is 'outlier'"),
        ("1,out,5\n2,,7\n", "line 2: the label is ''"),
        ("id,label,x\n1,out,5\n2,nor,6\n", "line 1: .* no header"),
        ("1,out,5,a\n2,nor,7,b\n", "line 1: column 4 holds 'a'"),
        ("1,out,5\n2,nor,a\n", "line 2: column 3 holds 'a'"),
        ("1,out,5\n2,nor,\n", "line 2: column 3 holds ''"),
        ("1,out,5\n2,nor,nan\n", "line 2: column 3 holds 'nan'"),
        ("1,out,NA\n2,nor,NA\n", "line 1: column 3 holds 'NA'"),
        ("1,out,5\n2,nor,-inf\n", "line 2: column 3 holds '-inf'"),
        ("1,out,5\n2,nor,1e999\n", "line 2: column 3 holds '1e999'"),
        ("1,out,True\n2,nor,False\n", "line 1: column 3 holds 'True'"),
        ('1,out,"5\n2,nor,6\n', "after line 2"),
        ("1,out,5\n2,n\xf6r,6\n", r"not in UTF-8 \(byte 0xf6 in line 2\)"),
    ],
)
def test_bad_csv_is_named_with_file_and_line(tmp_path, content, message):
    path = write(tmp_path / "bad.csv", content.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as info:
        load_csv(path)
    assert str(path) in str(info.value)


def test_missing_csv_and_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv"):
        load_csv(tmp_path / "no.csv")
    with pytest.raises(OSError, match="is a folder"):
        load_csv(tmp_path)


CELLS = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(["", "nan", "inf", "x", "True", "1_0", " 2 ", "1e3", "+.5", "0x1"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["nor", "out", "nor", "out", "nor", "out", "Out"]),
            st.lists(
                st.one_of(st.floats(0, 1).map(repr), st.floats(0, 1).map(repr), CELLS),
                min_size=2,
                max_size=2,
            ),
        ),
        max_size=6,
    )
)
def test_csv_is_read_as_float_reads_it_or_refused(tmp_path, rows):
    path = tmp_path / "any.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([i, label, *cells] for i, (label, cells) in enumerate(rows))

    def number(cell):
        return np.nan if "_" in cell else float(cell)

    try:
        expected = np.array([[number(cell) for cell in cells] for _, cells in rows])
        good = len(rows) >= 2 and np.isfinite(expected).all()
        good = good and all(label in ("nor", "out") for label, _ in rows)
    except ValueError:
        good = False
    if good:
        X, y = load_csv(path, return_X_y=True)
        np.testing.assert_allclose(X, expected, rtol=1e-15)
        assert y.tolist() == [int(label == "out") for label, _ in rows]
    else:
        with pytest.raises(ValueError, match=r"any\.csv"):
            load_csv(path)


# The look-alike of onecluster


def distances(bunch, outlier):
    return np.hypot(*(bunch.data[bunch.target == outlier] - 0.5).T)


def test_onecluster_has_its_outliers_away_from_the_cluster_in_the_unit_square():
    bunch = make_onecluster(random_state=0)
    assert bunch.data.shape == (1000, 2)
    assert bunch.target.tolist() == [0] * 980 + [1] * 20
    assert bunch.ids.tolist() == list(range(1, 1001))
    assert bunch.data.min() >= 0
    assert bunch.data.max() <= 1
    assert distances(bunch, 0).max() < distances(bunch, 1).min()
    assert "synthetic" in bunch.DESCR


def test_onecluster_has_the_spread_of_the_published_points():
    bunch = make_onecluster(50_000, 25_000, random_state=0)
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    published = [0.0229, 0.0383, 0.0617, 0.0852, 0.1088]
    np.testing.assert_allclose(np.quantile(distances(bunch, 0), quantiles), published, atol=0.003)
    published = [0.2391, 0.3297, 0.4442, 0.4971, 0.5390]
    np.testing.assert_allclose(np.quantile(distances(bunch, 1), quantiles), published, atol=0.05)


def test_onecluster_of_the_same_seed_is_the_same():
    one, same, other = (make_onecluster(random_state=seed).data for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


@given(st.integers(2, 300), st.floats(0, 0.999), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_onecluster_has_the_size_asked_for(n, share, seed):
    n_outliers = int(n * share)
    bunch = make_onecluster(n, n_outliers, seed)
    assert bunch.data.shape == (n, 2)
    assert bunch.target.sum() == n_outliers


@pytest.mark.parametrize(
    ("n_samples", "n_outliers", "name"),
    [(1, 0, "n_samples"), (2.5, 1, "n_samples"), (10, 10, "n_outliers"), (10, -1, "n_outliers")],
)
def test_onecluster_refuses_impossible_sizes(n_samples, n_outliers, name):
    with pytest.raises(ValueError, match=f"{name}="):
        make_onecluster(n_samples, n_outliers)
