"""Tables that need not fit into memory: rows from arrays, files and pipelines, block by block.

A table is an array-like, a memory map, a DataFrame or records, the path of a Parquet file or
several, a tf.data.Dataset or a PyDataset of Keras.
"""

import itertools
import os
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from gaal_alocc.arrays import as_array, batches, in_batches
from gaal_alocc.file_kinds import instead

EXPECTED = "rows of shape (n_features,), or batches of them"


@dataclass(frozen=True)
class Rows:
    """A table to be read block by block, any number of times.

    ``n`` is the number of rows, None where only reading tells. ``blocks`` takes a number of
    rows and gives blocks of that size in order, the last one smaller: arrays, or DataFrames
    where the columns have names. At least one comes, if it is empty. ``array`` is the table
    itself where it is a numpy array.
    """

    n: int | None
    blocks: Callable[[int], Iterator[Any]]
    array: np.ndarray | None = None


def open_rows(X) -> Rows:
    """Look at what X is, and at none of its values.

    An array-like, DataFrame or records; the path of a Parquet file, or a list of paths, whose rows
    follow one another; a tf.data.Dataset of rows or batches of them, or a PyDataset of batches.

    Raises a FileNotFoundError or IsADirectoryError where a path is no file, an ImportError where
    pyarrow is not installed, a ValueError where a file is no Parquet file, holds columns that are
    no numbers, or others than the first, or where a data set never ends or its elements are no
    rows; and a TypeError as :func:`gaal_alocc.arrays.as_array`.
    """
    if isinstance(X, Rows):
        return X
    if isinstance(X, (str, os.PathLike)):
        return open_parquet([X])
    if isinstance(X, (list, tuple)) and X and all(isinstance(x, (str, os.PathLike)) for x in X):
        return open_parquet(X)
    if in_batches(X):
        return _open_batches(X)
    if isinstance(X, np.ndarray) and X.dtype.names is not None:
        # Records, as scipy.io.arff.loadarff reads them; what is masked in them becomes NaN.
        if X.ndim != 1 or any(X.dtype[name].shape for name in X.dtype.names):
            raise ValueError(
                f"X holds records of shape {X.shape} and of {X.dtype}; expected one a row, and in"
                " each field one number."
            )
        X = pd.DataFrame({name: X[name] for name in X.dtype.names})
    elif hasattr(X, "to_pandas"):  # a table of pyarrow or polars
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        return _sliced(len(X), X.iloc)
    X = as_array(X)
    if X.ndim == 2:
        return _sliced(len(X), X, array=X)
    return Rows(None, lambda size: iter([X]))  # which check_array refuses


def _sliced(n: int, X: Any, array: np.ndarray | None = None) -> Rows:
    return Rows(n, lambda size: (X[i : i + size] for i in range(0, max(n, 1), size)), array)


def open_parquet(paths: Sequence[str | os.PathLike], *, leave_out: Sequence[str] = ()) -> Rows:
    """Open Parquet files, one at least, as one table of float64, missing values NaN; in DataFrames.

    ``leave_out`` are columns that are no features, in any of the files or in none. The index that
    pandas stores with a DataFrame is left out too, as ``pandas.read_parquet`` does.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            "X is the path of a Parquet file, and pyarrow is not installed: pip install"
            ' "gaal-alocc[parquet]"'
        ) from error

    def is_number(kind: pa.DataType) -> bool:
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)

    def open_file(path: Path) -> pq.ParquetFile:
        # Through a small buffer, or a whole row group would lie in memory.
        return pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)

    paths = [Path(os.path.expanduser(path)) for path in paths]
    names, n = None, 0
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"X is {path}, a folder; expected the paths of Parquet files.")
        if not path.exists():
            raise FileNotFoundError(f"X is {path}, but there is no such file.")
        try:
            with open_file(path) as file:
                schema, n = file.schema_arrow, n + file.metadata.num_rows
        except pa.ArrowInvalid as error:
            found = instead(path) or "; it looks like text, which pandas.read_csv reads"
            if "Parquet" in found:
                raise ValueError(f"X is {path}, which is damaged: {error}") from error
            raise ValueError(f"X is {path}, which is no Parquet file{found}.") from error
        # The index of a DataFrame is no feature; one that counts the rows is no column, but a dict.
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        fields = [field for field in schema if field.name not in [*leave_out, *index]]
        for field in fields:
            if not is_number(field.type):
                raise ValueError(
                    f"X: the column {field.name!r} of {path} holds {field.type}; expected numbers."
                )
        found = [field.name for field in fields]
        if names is None:
            names = found
        if found != names:
            raise ValueError(f"X: {path} has the columns {found}; expected {names}.")

    def parts(size: int) -> Iterator[np.ndarray]:
        for path in paths:
            with open_file(path) as file:
                for batch in file.iter_batches(size, columns=names):
                    columns = [c.cast(pa.float64(), safe=False) for c in batch.columns]
                    columns = [c.to_numpy(zero_copy_only=False) for c in columns]
                    yield np.column_stack(columns) if columns else np.empty((len(batch), 0))

    def blocks(size: int) -> Iterator[pd.DataFrame]:
        for block in _regrouped(parts(size), size, np.empty((0, len(names)))):
            yield pd.DataFrame(block, columns=names)

    return Rows(n, blocks)


def _open_batches(X) -> Rows:
    spec = getattr(X, "element_spec", None)  # which tf.data alone tells
    batches(X, (2,) if spec is None else (1, 2), EXPECTED)  # refuses it before anything is read
    single = spec is not None and spec.shape.rank == 1
    empty = np.empty((0, 0 if spec is None else spec.shape[-1] or 0))

    def blocks(size: int) -> Iterator[np.ndarray]:
        parts = batches(X.batch(size) if single else X, (2,), EXPECTED)
        return _regrouped(parts, size, empty)

    return Rows(int(X.cardinality()) if single and X.cardinality() >= 0 else None, blocks)


def _regrouped(parts: Iterable[np.ndarray], size: int, empty: np.ndarray) -> Iterator[np.ndarray]:
    """Join and cut arrays so that all but the last have ``size`` rows; ``empty`` for none."""
    waiting, n, seen, n_features = [], 0, 0, None
    for part in parts:
        n_features = part.shape[1] if n_features is None else n_features
        if part.shape[1] != n_features:
            raise ValueError(
                f"X has {part.shape[1]} features from row {seen} on, and {n_features} before."
            )
        seen += len(part)
        while n + len(part) >= size:
            cut = size - n
            yield np.concatenate([*waiting, part[:cut]])
            waiting, n, part = [], 0, part[cut:]
        waiting.append(part)
        n += len(part)
    if n or not seen:
        yield np.concatenate(waiting or [empty])


def checked_blocks(
    estimator: BaseEstimator,
    rows: Rows,
    size: int,
    *,
    dtype: Any,
    reset: bool,
    min_samples: int = 1,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """Give blocks of at most ``size`` rows as scikit-learn's ``validate_data`` gives the whole.

    The estimator's number and names of features are compared, or set by ``reset``. ``dtype`` is as
    of ``sklearn.utils.check_array``, ``min_samples`` the fewest rows in all, at most ``size``;
    ``transform`` is applied to every block in float64. No copy is made of a block of the dtype.
    Raises as ``validate_data``, but tells what is no finite number with its row and its column, by
    name where columns have names.
    """
    options = {"dtype": dtype if transform is None else np.float64, "ensure_all_finite": False}
    start = 0
    for block in rows.blocks(size):
        table = _dense(block)
        _check_type(table)
        try:
            with np.errstate(over="ignore"):  # told by _check_finite
                if start == 0:
                    block = validate_data(
                        estimator, table, reset=reset, ensure_min_samples=min_samples, **options
                    )
                else:
                    block = check_array(table, input_name="X", estimator=estimator, **options)
        except (TypeError, ValueError, OverflowError) as error:
            wrong = _no_number(table, start)
            if wrong is None:
                raise
            if isinstance(table, np.ndarray) and isinstance(error, TypeError):
                raise TypeError(f"{wrong} {error}") from error  # as scikit-learn's own checks ask
            raise ValueError(wrong) from error
        names = getattr(table, "columns", None)
        _check_finite(block, start, names)
        if transform is not None:
            with np.errstate(all="ignore"):
                block = check_array(transform(block), dtype=dtype, ensure_all_finite=False)
            _check_finite(block, start, names)
        for i in range(0, len(block), size):
            yield block[i : i + size]
        start += len(block)


def _dense(table: Any) -> Any:
    """Fill the sparse columns of a DataFrame, which is no other in a block."""
    dtypes = table.dtypes if isinstance(table, pd.DataFrame) else ()
    if not any(isinstance(dtype, pd.SparseDtype) for dtype in dtypes):
        return table
    return table.apply(lambda column: pd.Series(np.asarray(column), column.index))


def _check_type(table: Any) -> None:
    """Refuse dates, which numpy would quietly count in nanoseconds or days, and complex numbers."""
    if isinstance(table, pd.DataFrame):
        columns = [(f"X: the column {name!r}", column) for name, column in table.items()]
    else:
        columns = [("X", table)]
    for what, column in columns:
        dtype = column.dtype
        kinds = set(map(type, np.ravel(column))) if dtype.kind == "O" else {dtype.type}
        if dtype.kind in "mM" or kinds & {np.datetime64, np.timedelta64}:
            found = "dates or times" if dtype.kind == "O" else dtype
            raise ValueError(f"{what} holds {found}; expected numbers.")
        if dtype.kind == "c":
            raise ValueError(
                f"{what} holds {dtype}; expected real numbers. Complex data not supported."
            )


def _no_number(table: Any, start: int) -> str | None:
    """Find the first value of a DataFrame or array that is no number; None where all are."""
    if isinstance(table, np.ndarray) and (table.ndim != 2 or table.dtype.kind not in "OSU"):
        return None
    table = pd.DataFrame(table)
    for i, (name, dtype) in enumerate(zip(table.columns, table.dtypes)):
        if dtype.kind in "biuf":
            continue
        for row, value in enumerate(table.iloc[:, i], start):
            try:
                float(np.nan if value is None else value)  # numpy takes None for NaN
            except (TypeError, ValueError, OverflowError):
                what = "NA, a missing value," if value is pd.NA else reprlib.repr(value)
                return (
                    f"X: the column {name!r} holds {what} in row {row} (counted from 0);"
                    " expected a number."
                )
    return None


def _check_finite(block: np.ndarray, start: int, names: Sequence | None = None) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(block, dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(block))
    if len(bad):
        row, column = bad[0]
        what = f"infinity, or a value too large for {block.dtype},"
        what = "NaN" if np.isnan(block[row, column]) else what
        where = f"row {start + row}, column {column} (counted from 0)"
        if names is not None:
            where = f"row {start + row} (counted from 0), column {names[column]!r}"
        raise ValueError(f"X holds {what} in {where}.")


def read(
    estimator: BaseEstimator,
    rows: Rows,
    size: int,
    *,
    min_samples: int,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Read and check a whole table as float32, for ``fit``; see :func:`checked_blocks`.

    Where the table is an array of float32, or a memory map of one, it is that itself. Anything else
    is converted block by block; only what does not tell its number of rows is held twice for a
    moment.
    """
    blocks = checked_blocks(
        estimator,
        rows,
        size,
        dtype=np.float32,
        reset=True,
        min_samples=min_samples,
        transform=transform,
    )
    if rows.array is not None and rows.array.dtype == np.float32 and transform is None:
        for _ in blocks:
            pass
        return np.asarray(rows.array)
    if rows.n is None:
        return np.concatenate(list(blocks))
    first = next(blocks)
    whole = np.empty((rows.n, first.shape[1]), np.float32)
    start = 0
    for block in itertools.chain([first], blocks):
        whole[start : start + len(block)] = block
        start += len(block)
    return whole
