"""Arrays of what users hold: tensors, lists, masked arrays, data sets that come in batches.

Only what is an array, or gives one, reaches numpy. Of whatever else can be iterated numpy would
take one item after the other, and of generators and of some data sets there is always another.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # they take seconds, and labels and tables do without
    import keras
    import tensorflow as tf

SCALARS = (str, bytes, np.generic)  # which have items as containers do
# What makes a table or an array of a thing that is none, by the first that it has.
MAKERS = (
    *("collect", "compute", "toPandas", "df", "to_table", "read_all"),  # lazy tables
    *("toarray", "to_tensor", "to_dense"),  # sparse and ragged ones
)
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
COPIES = 4  # of the data as float32 that a training makes at least


def as_array(X, name: str = "X") -> np.ndarray:
    """Make an array of an array-like, of any shape and dtype; one that is there is not copied.

    An array-like is an array of numpy, or of a library that makes one of its own (``__array__``):
    tensors of TensorFlow, PyTorch and JAX, columns of pandas, Arrow and polars; a buffer; or a list
    or tuple of such and of numbers. bfloat16 and the like become float32. An error calls it
    ``name``: a TypeError for anything else, such as an iterator, says what makes an array of it; a
    ValueError tells that a value is masked, or that the items of a list have different sizes.
    """
    if isinstance(X, np.ma.MaskedArray):
        masked = np.argwhere(np.ma.getmaskarray(X))
        if len(masked):
            place = "".join(f"[{i}]" for i in masked[0])
            raise ValueError(
                f"{name}{place} is masked, a missing value; expected none: leave it out, or fill"
                " it by filled(value)."
            )
    elif isinstance(X, list | tuple):
        X = _items(X, name)
        try:
            X = np.asarray(X)
        except ValueError as error:
            raise ValueError(
                f"{name} holds items of different sizes; expected all of one size."
            ) from error
    elif not isinstance(X, np.ndarray):
        _check_kind(X, name)
        try:
            if hasattr(X, "detach"):  # PyTorch's, with a gradient or on a GPU
                X = X.detach().cpu()
                X = X.float() if str(X.dtype) == "torch.bfloat16" else X
            X = np.asarray(X)
        except Exception as error:
            what = f"{name} is of type {_kind(X)}, of which numpy makes no array: {error}"
            raise TypeError(" ".join(what.split())) from error
    X = np.asarray(X)
    if X.dtype.kind == "V" and np.can_cast(X.dtype, np.float32):
        X = X.astype(np.float32)
    return X


def _items(X: list | tuple, name: str) -> list | tuple:
    """Make arrays of the items that are containers; a list of numbers is given back."""
    kinds = {kind for kind in set(map(type, X)) if _is_container(kind)}
    if not kinds:
        return X
    make = {kind: _items if issubclass(kind, list | tuple) else as_array for kind in kinds}
    return [make[type(x)](x, f"{name}[{i}]") if type(x) in make else x for i, x in enumerate(X)]


def _is_container(kind: type) -> bool:
    return not issubclass(kind, SCALARS) and any(
        hasattr(kind, method) for method in ("__getitem__", "__iter__", "__array__")
    )


def _kind(X: Any) -> str:
    return f"{type(X).__module__}.{type(X).__qualname__}".removeprefix("builtins.")


def _check_kind(X: Any, name: str) -> None:
    """Refuse what gives no array, and say what would."""
    if isinstance(X, str | os.PathLike):
        raise TypeError(f"{name} is {os.fspath(X)!r}; expected an array: read the file first.")
    found = f"{name} is of type {_kind(X)}"
    if isinstance(X, Mapping):
        keys = list(map(repr, X))
        raise TypeError(
            f"{found}, and holds {', '.join(keys[:5]) or 'nothing'}{' ...' * (len(keys) > 5)};"
            f" expected one array: give {name}[{keys[0] if keys else '...'}]"
            + (f", or pandas.DataFrame({name})." if isinstance(X, dict) else ".")
        )
    if any(hasattr(X, array) for array in ("__array__", "__array_interface__")):
        return
    with contextlib.suppress(TypeError):
        memoryview(X)
        return
    maker = next((maker for maker in MAKERS if hasattr(X, maker)), None)
    if maker is not None:
        raise TypeError(f"{found}; expected an array or a table: give {name}.{maker}().")
    if hasattr(X, "flow_from_directory"):
        raise TypeError(
            f"{found}, which holds no images; expected images: give {name}.flow(...) or"
            f" {name}.flow_from_directory(..., class_mode=None)."
        )
    if hasattr(X, "__next__"):
        raise TypeError(
            f"{found}, which is read but once and need not end; expected an array or a"
            f" tf.data.Dataset. Where it ends, give list({name}), or"
            f" numpy.concatenate(list({name})) if its items are batches."
        )
    raise TypeError(
        f"{found}; expected an array, a list or tuple, a tf.data.Dataset or a PyDataset of Keras."
    )


# ---------------------------------------------------------------------------------------


def in_batches(X) -> bool:
    """Tell whether X comes a batch at a time: a tf.data.Dataset, or a PyDataset of Keras."""
    import keras
    import tensorflow as tf

    return isinstance(X, tf.data.Dataset | keras.utils.PyDataset)


def batches(X, ranks: Sequence[int], expected: str) -> Iterator[np.ndarray]:
    """Look at a data set's form, and give its batches as arrays, from the start.

    It is of arrays alone, without labels, of one of the ``ranks``; an error says what is
    ``expected``. A PyDataset, such as ``flow_from_directory`` of Keras's ImageDataGenerator makes,
    is read by its length and index. Raises a ValueError where the elements are something else, or
    never end: what does not tell its length is taken to be endless when it has given more than a
    training on this machine could hold.
    """
    import keras
    import tensorflow as tf

    if isinstance(X, keras.utils.PyDataset):
        n = None
        with contextlib.suppress(NotImplementedError):
            n = X.num_batches
        if n is None:
            raise ValueError(f"X is a {_kind(X)} that never ends; expected everything once.")
        return _of_py_dataset(X, n, ranks, expected)
    spec = X.element_spec
    if not isinstance(spec, tf.TensorSpec) or spec.shape.rank not in ranks:
        raise ValueError(
            f"X is a tf.data.Dataset of {spec}; expected {expected}, and no labels{_alone(spec)}."
        )
    if X.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("X is a tf.data.Dataset that never ends; expected everything once.")
    return _of_tf_data(X)


def _alone(element: Any) -> str:
    """Say how to get the first part of a data set's elements."""
    if isinstance(element, dict):
        return f": X.map(lambda x: x[{next(iter(element))!r}])"
    if isinstance(element, tuple):
        return f": X.map(lambda {', '.join('xyw'[: len(element)])}: x)"
    return ""


def _of_tf_data(X: tf.data.Dataset) -> Iterator[np.ndarray]:
    import tensorflow as tf

    known = X.cardinality() != tf.data.UNKNOWN_CARDINALITY
    size, most = 0, memory() // (COPIES * np.dtype(np.float32).itemsize)
    for batch in X.as_numpy_iterator():
        yield as_array(batch)
        size += batch.size
        if size > most and not known:
            raise ValueError(
                f"X is a tf.data.Dataset that does not tell its length, and has given {size}"
                " numbers, for which a training would need more memory than there is. If it ends,"
                " tell where: X.apply(tf.data.experimental.assert_cardinality(its_length))."
            )


def _of_py_dataset(
    X: keras.utils.PyDataset, n: int, ranks: Sequence[int], expected: str
) -> Iterator[np.ndarray]:
    for i in range(n):
        batch = X[i]
        if isinstance(batch, tuple | list | dict):
            raise ValueError(
                f"X is a {_kind(X)} whose elements are a {_kind(batch)}; expected {expected}, and"
                " no labels: of Keras's own, class_mode=None."
            )
        batch = as_array(batch, f"X[{i}]")
        if batch.ndim not in ranks:
            raise ValueError(f"X[{i}] has shape {batch.shape}; expected {expected}.")
        yield batch


def memory() -> int:
    """Bytes of memory that this machine, or the container on it, has."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):  # Windows
        found = [2**34]
    for path in map(Path, MEMORY_LIMITS):
        if path.exists() and path.read_text().strip().isdecimal():
            found.append(int(path.read_text()))
    return min(found)
