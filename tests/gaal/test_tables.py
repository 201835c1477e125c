"""Tables from files of numpy, Parquet and text; of other files it is said what they look like."""

import gzip
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from PIL import Image

from gaal import SOGAAL, cli, datasets
from gaal.datasets import load_table

DATA = datasets.make_onecluster(60, 6, random_state=0)
X, Y = DATA.data, DATA.target
ROWS = "1,nor,0.1\n2,out,0.9\n"


def beside(path):
    np.save(path, X)
    np.save(path.with_name("y_train.npy"), Y[:, None])


def nan_beside(path):
    np.save(path, np.where(X[7, 1] == X, np.nan, X))
    np.save(path.with_name("y_nan.npy"), Y)


def records(path):
    np.save(path, DATA.frame.assign(label=Y.astype(float)).to_records(index=False))


GOOD = {
    "a.npz": lambda path: np.savez(path, X=X, y=Y),
    "column.npz": lambda path: np.savez(path, X=X, y=Y[:, None].astype(np.uint8), more=[1]),
    "words.npz": lambda path: np.savez_compressed(path, X=X, y=np.array(["nor", "out"])[Y]),
    "predicted.npz": lambda path: np.savez(path, X=X, y=np.where(Y, -1, 1)),
    "X_train.npy": beside,
    "records.npy": records,
    "fields.npy": lambda path: np.save(
        path, np.array(list(zip(X, Y)), [("X", float, 2), ("y", int)])
    ),
    "frame.parquet": DATA.frame.to_parquet,
    "class.parquet": lambda path: (
        DATA.frame.assign(Class=Y == 1).drop(columns=["label", "id"]).to_parquet(path)
    ),
    "index.parquet": lambda path: DATA.frame.drop(columns="id")[Y < 2].to_parquet(path),
    "any.name": lambda path: DATA.frame.to_csv(path, index=False, header=False),
    "mark.csv": lambda path: DATA.frame.to_csv(
        path, index=False, header=False, encoding="utf-8-sig"
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_rows_and_labels_come_the_same_from_every_kind_of_file(name, tmp_path):
    path = tmp_path / name
    GOOD[name](path)
    table = load_table(path)
    np.testing.assert_array_equal(table.data, X)
    assert table.data.dtype == np.float64
    np.testing.assert_array_equal(table.target, Y)
    assert table.labels_from is not None
    np.testing.assert_array_equal(table.frame["label"] == "out", Y)
    assert (table.frame.iloc[:, 2:].to_numpy() == X).all()
    np.testing.assert_array_equal(load_table(path, return_X_y=True)[1], Y)


def test_the_ending_of_a_file_tells_nothing(tmp_path):
    with (tmp_path / "data.csv").open("wb") as file:
        np.savez(file, X=X, y=Y)
    np.testing.assert_array_equal(load_table(tmp_path / "data.csv").target, Y)


def test_ids_and_names_are_kept(tmp_path):
    frame = DATA.frame.assign(id=[f"row {i}" for i in DATA.ids])
    frame.rename(columns={"x0": "height"}).to_parquet(tmp_path / "a.parquet")
    table = load_table(tmp_path / "a.parquet")
    assert table.feature_names == ["height", "x1"]
    assert list(table.ids[:2]) == ["row 1", "row 2"]


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "x.npy", "a.parquet"])
def test_without_labels_there_is_no_target(name, tmp_path):
    path = tmp_path / name
    if name.endswith("z"):
        np.savez(path, X=X)
    elif name.endswith("y"):
        np.save(path, X)
    else:
        pd.DataFrame(X, columns=["a", "b"]).to_parquet(path)
    table = load_table(path)
    np.testing.assert_array_equal(table.data, X)
    assert table.target is None
    assert table.labels_from is None
    assert "label" not in table.frame
    assert "no labels" in table.DESCR


def test_labels_that_do_not_tell_are_told_and_are_no_feature(tmp_path):
    frame = DATA.frame.assign(label=np.array(["good", "bad"])[Y])
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match=r"'label' holds the labels 'bad', 'good'; expected 1"):
        table = load_table(tmp_path / "a.parquet")
    assert table.target is None
    assert table.feature_names == ["x0", "x1"]


def test_answers_are_read_and_it_is_told_how(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=np.array(["no", "yes"])[Y])
    with pytest.warns(UserWarning, match="'yes' is taken for an outlier"):
        table = load_table(tmp_path / "a.npz")
    np.testing.assert_array_equal(table.target, Y)


def excel(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")


def zipped(path, name="data.csv"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, ROWS)


def cut(write):
    def write_part(path):
        write(path)
        path.write_bytes(path.read_bytes()[:200])

    return write_part


BAD = {
    "a.mat": (lambda path: scipy.io.savemat(path, {"X": X, "y": Y}), "a MATLAB file.*loadmat"),
    "old.mat": (lambda path: scipy.io.savemat(path, {"X": X}, format="4"), "MATLAB.*loadmat"),
    "hdf.mat": (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file\0"), "7.3.*h5py"),
    "a.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n\0"), "an HDF5 file.*h5py"),
    "a.csv.gz": (lambda path: path.write_bytes(gzip.compress(ROWS.encode())), "a gzip.*gunzip"),
    "a.zip": (zipped, "a zip archive.*unzip"),
    "a.xlsx": (excel, "an Excel workbook.*read_excel"),
    "utf16.csv": (lambda path: path.write_text(ROWS, "utf-16"), "text in UTF-16.*iconv -f UTF-16 "),
    "le.csv": (lambda path: path.write_text(ROWS, "utf-16-le"), "text in UTF-16.*f UTF-16LE"),
    "be.csv": (lambda path: path.write_text(ROWS, "utf-16-be"), "text in UTF-16.*f UTF-16BE"),
    "utf32.csv": (lambda path: path.write_text(ROWS, "utf-32"), "text in UTF-32"),
    "latin.csv": (lambda path: path.write_text(ROWS + "\xfc,nor,1\n", "latin-1"),
                  "not in UTF-8 .byte 0xfc in line 3.*iconv"),
    "a.arff": (lambda path: path.write_text("% note\n\n@RELATION a\n@DATA\n"), "ARFF.*loadarff"),
    "a.svm": (lambda path: path.write_text("+1 1:0.5 3:2\n-1 2:1\n"), "LIBSVM.*svmlight"),
    "a.json": (lambda path: path.write_text('{"X": [[1, 2]]}'), "a JSON file.*read_json"),
    "a.html": (lambda path: path.write_text("\n<!DOCTYPE html>\n<html>"), "a web page"),
    "lfs": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
            "Git LFS.*git lfs pull"),
    "a.pkl": (lambda path: path.write_bytes(pickle.dumps({"X": X})), "a pickle, which is not op"),
    "a.pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n"), "a PDF document; expected a table"),
    "a.png": (lambda path: Image.new("L", (8, 8)).save(path), "a PNG image; expected a table"),
    "noise": (lambda path: path.write_bytes(bytes(range(256))), "bytes and not of text"),
    "detector": (lambda path: zipped(path, "detector.json"), "a saved detector"),
    "empty.npz": (lambda path: path.write_bytes(b""), "is empty"),
    "object.npy": (lambda path: np.save(path, np.array([{}], object)), "not unpickled"),
    "object.npz": (lambda path: np.savez(path, X=np.array([{}], object)), "not unpickled"),
    "sparse.npz": (lambda path: scipy.sparse.save_npz(path, scipy.sparse.eye(3).tocsr()),
                   "a sparse matrix of scipy.*toarray"),
    "labels.npz": (lambda path: np.savez(path, X=X, labels=Y),
                   r"arrays X, labels; expected the labels in y: .*y=archive\['labels'\]"),
    "class.npz": (lambda path: np.savez(path, X=X, Class=Y), r"labels in y: .*archive\['Class'\]"),
    "X_nan.npy": (nan_beside, r"^(?!.*y_nan\.npy).*holds NaN in row 7, column 1"),
    "mnist.npz": (lambda path: np.savez(path, x_train=X, y_train=Y),
                  "holds the arrays x_train, y_train; expected X"),
    "images.npz": (lambda path: np.savez(path, X=np.zeros((5, 8, 8))), r"shape \(5, 8, 8\)"),
    "text.npz": (lambda path: np.savez(path, X=np.array([["a"], ["b"]])), "X holds <U1"),
    "dates.npz": (lambda path: np.savez(path, X=np.zeros((2, 1), "M8[s]")), r"holds datetime64"),
    "short.npz": (lambda path: np.savez(path, X=X, y=Y[1:]), r"y has the shape \(59,\)"),
    "nan.npz": (lambda path: np.savez(path, X=np.where(X[7, 1] == X, np.nan, X)),
                "holds NaN in row 7, column 1"),
    "one.npy": (lambda path: np.save(path, X[:1]), "1 rows and 2 features"),
    "none.npy": (lambda path: np.save(path, X[:, :0]), "60 rows and 0 features"),
    "inf.parquet": (lambda path: pd.DataFrame({"a": [1, np.inf]}).to_parquet(path),
                    "holds infinity in row 1, column 'a'"),
    "text.parquet": (lambda path: pd.DataFrame({"a": [1.0], "b": ["x"]}).to_parquet(path),
                     "column 'b' .*expected numbers"),
    "two.parquet": (lambda path: DATA.frame.assign(y=Y).to_parquet(path),
                    "columns 'label', 'y' may each"),
    "cut.npy": (cut(lambda path: np.save(path, X)), "cannot be read"),
    "cut.npz": (cut(lambda path: np.savez(path, X=X)), "cut off or damaged"),
    "cut.parquet": (cut(DATA.frame.to_parquet), "damaged"),
    "tabs.csv": (lambda path: path.write_text(ROWS.replace(",", "\t")), "separated by tabs"),
    "semicolons.csv": (lambda path: path.write_text(ROWS.replace(",", ";")), "by semicolons"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_of_every_other_file_it_is_said_what_it_is(name, tmp_path, capsys):
    write, message = BAD[name]
    path = tmp_path / name
    write(path)
    with pytest.raises(ValueError, match=message) as error:
        load_table(path)
    assert name in str(error.value)
    assert "codec" not in str(error.value)
    assert cli.so_gaal(["--path", str(path), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err == f"so-gaal: {error.value}\n"


def test_what_is_no_text_is_told_by_load_csv_too(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    with pytest.raises(ValueError, match=r"a\.npz looks like a numpy archive.*load_table takes it"):
        datasets.load_csv(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.npz", "looks like a numpy archive .*, which numpy.load reads"),
     ("any.name", "looks like text, which pandas.read_csv reads")],
)  # fmt: skip
def test_fit_says_of_a_path_that_is_no_parquet_what_it_is(name, message, tmp_path):
    GOOD[name](tmp_path / name)
    with pytest.raises(ValueError, match=f"which is no Parquet file; it {message}"):
        SOGAAL().fit(tmp_path / name)
