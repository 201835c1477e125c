"""What PyTorch saved, read without PyTorch and without running anything of it.

A file of ``torch.save`` holds a pickle, and to unpickle is to run what the pickle says. Here it is
only looked at: of its instructions those that a state dict is made of are followed, and of
what they may call there is the ordered dict and the tensor. All else is refused.
"""

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

LARGEST = 2**26  # bytes: far more than networks for tables need
MAGIC = 0x1950A86A20F9469CFC6C  # how PyTorch before 1.6 begins
PROTOCOL = 1001
STORAGES = {"torch FloatStorage": "f4", "torch DoubleStorage": "f8"}
CONSTANTS = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
LITERALS = ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE")


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, which the file has elsewhere: their key, type and count."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """Numbers of a storage, from ``offset`` on, ``strides`` apart."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Take the tensor out of the numbers of its storage."""
        sizes = (self.offset, *self.shape, *self.strides)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides))
        fits = last < len(numbers) and math.prod(self.shape) <= len(numbers)
        if min(sizes) < 0 or len(self.shape) != len(self.strides) or not fits:
            raise ValueError(f"a tensor of shape {self.shape} is more than its storage holds")
        steps = [step * numbers.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps).copy()


def ordered_dict() -> dict:
    """Stand for collections.OrderedDict()."""
    return {}


def rebuild_tensor(storage: Storage, offset: int, shape: tuple, strides: tuple, *_) -> Tensor:
    """Stand for torch._utils._rebuild_tensor_v2: gradients and hooks are left out."""
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    return Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


CALLABLE: dict[str, Callable] = {
    "collections OrderedDict": ordered_dict,
    "torch._utils _rebuild_tensor_v2": rebuild_tensor,
}


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict as torch.save(model.state_dict()) of whichever version wrote it.

    Returns arrays of float32 or float64 by name, in the order of the file. Raises OSError if the
    file cannot be read, ValueError if it is not a state dict of float tensors, is damaged, or asks
    for anything else to be called.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, expected at most {LARGEST}.")
    read = _read_zip if zipfile.is_zipfile(path) else _read_legacy
    try:
        tensors, numbers = read(path)
        if not isinstance(tensors, dict) or not all(
            isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
        ):
            raise ValueError("it holds something else than tensors by their names")
        return {name: tensor.of(numbers[tensor.storage.key]) for name, tensor in tensors.items()}
    except OSError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise ValueError(f"{path} is no state dict of PyTorch that can be read: {error}") from error


def _read_zip(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """Read a file of PyTorch 1.6 or later: a pickle, and a member for every storage."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > LARGEST:
            raise ValueError(f"its members have more than {LARGEST} bytes")
        names = archive.namelist()
        root = next((n.removesuffix("data.pkl") for n in names if n.endswith("/data.pkl")), None)
        if root is None:
            raise ValueError("it has no data.pkl")
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in names else b"little"
        storages: dict[str, Storage] = {}
        tensors = _follow(io.BytesIO(archive.read(f"{root}data.pkl")), storages)
        numbers = {
            key: _numbers(archive.read(f"{root}data/{key}"), storage, order == b"little")
            for key, storage in storages.items()
        }
    return tensors, numbers


def _read_legacy(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """Read a file of PyTorch before 1.6: five pickles in a row, then the storages."""
    stream = io.BytesIO(path.read_bytes())
    if (_follow(stream), _follow(stream)) != (MAGIC, PROTOCOL):
        raise ValueError("it begins with something else")
    little = _follow(stream)["little_endian"]
    storages: dict[str, Storage] = {}
    tensors = _follow(stream, storages)
    numbers = {}
    for key in _follow(stream):
        count = int.from_bytes(stream.read(8), "little" if little else "big")
        storage = storages[key]
        if count != storage.count:
            raise ValueError(f"storage {key} has {count} numbers, expected {storage.count}")
        raw = stream.read(count * np.dtype(storage.dtype).itemsize)
        numbers[key] = _numbers(raw, storage, little)
    return tensors, numbers


def _numbers(raw: bytes, storage: Storage, little: bool) -> np.ndarray:
    dtype = np.dtype(storage.dtype)
    if len(raw) != storage.count * dtype.itemsize:
        raise ValueError(f"storage {storage.key} is cut off")
    return np.frombuffer(raw, dtype.newbyteorder("<" if little else ">")).astype(dtype)


def _follow(stream: BinaryIO, storages: dict[str, Storage] | None = None) -> Any:
    """Follow a pickle's instructions as far as a state dict needs them; note its storages."""
    stack: list = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    def pop(count: int) -> list:
        if len(stack) - count < (marks[-1] if marks else 0):
            raise ValueError("its pickle is damaged")
        items = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        return items

    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case name if name in CONSTANTS:
                stack.append(CONSTANTS[name]())
            case name if name in LITERALS:
                stack.append(argument)
            case "MARK":
                marks.append(len(stack))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.append(tuple(since_mark() if name == "TUPLE" else pop(int(name[-1]))))
            case "APPEND" | "APPENDS" as name:
                items = since_mark() if name == "APPENDS" else pop(1)
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS" as name:
                items = since_mark() if name == "SETITEMS" else pop(2)
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                if argument not in CALLABLE and argument not in STORAGES:
                    raise ValueError(f"it asks for {argument.replace(' ', '.')}")
                stack.append(argument)
            case "REDUCE":
                function, arguments = pop(2)
                stack.append(CALLABLE[function](*arguments))
            case "BINPERSID":
                (found,) = pop(1)
                storage = _storage(*found)
                if storages is None:
                    raise ValueError("a storage where there should be none")
                if storages.setdefault(storage.key, storage) != storage:
                    raise ValueError(f"two storages have the key {storage.key}")
                stack.append(storage)
            case "BUILD":
                pop(1)  # the versions of layers
            case "STOP":
                (made,) = pop(1)
                return made
            case name:
                raise ValueError(f"its pickle has {name}, which no state dict has")
    raise ValueError("its pickle does not end")


def _storage(kind: str, storage_type: str, key: str, place: str, count: int, *view) -> Storage:
    if kind != "storage" or any(part is not None for part in view) or int(count) < 0:
        raise ValueError("a storage of a kind that is not known")
    return Storage(str(key), STORAGES[storage_type], int(count))


def dense_weights(state: dict[str, np.ndarray], what: str) -> list[np.ndarray]:
    """Turn two linear layers of PyTorch into the weights of two dense layers of Keras.

    ``state`` has weight (out, in) and bias (out,) of each, under names that end so, in this order;
    returned are kernel (in, out) and bias (out,) of each, of float32. Raises ValueError if it is
    something else, and calls the network ``what``.
    """
    kinds = [name.rpartition(".")[2] for name in state]
    weights = list(state.values())
    shapes = [weight.shape for weight in weights]
    good = kinds == ["weight", "bias"] * 2 and [len(shape) for shape in shapes] == [2, 1, 2, 1]
    if not good or (shapes[0][0], shapes[1], shapes[3]) != (
        shapes[2][1],
        shapes[0][:1],
        shapes[2][:1],
    ):
        shown = ", ".join(f"{name} {weight.shape}" for name, weight in state.items())
        raise ValueError(f"the {what} holds {shown}; expected two linear layers.")
    return [np.ascontiguousarray(weight.T, "float32") for weight in weights]


def load_networks(discriminator: str | Path, generator: str | Path) -> tuple:
    """Load D and G of a port to PyTorch, files of :func:`read_state_dict`, into Keras models.

    They are as :func:`gaal.networks.build_discriminator` and :func:`gaal.networks.build_generator`
    make them. Raises OSError and ValueError as :func:`read_state_dict` does, and ValueError if the
    files hold other networks.
    """
    from gaal import networks

    d = dense_weights(read_state_dict(discriminator), "discriminator")
    g = dense_weights(read_state_dict(generator), "generator")
    n_features, hidden = d[0].shape
    if [w.shape for w in d[2:]] != [(hidden, 1), (1,)]:
        raise ValueError(f"{discriminator}: D ends in {d[2].shape[1]} units, expected 1.")
    if any(w.shape[-1] != n_features for w in g) or len(g[0]) != n_features:
        raise ValueError(f"{generator}: G is not as wide as D's {n_features} features.")
    built = (
        networks.build_discriminator(n_features, hidden**2),
        networks.build_generator(n_features),
    )
    for model, weights in zip(built, (d, g)):
        model.set_weights(weights)
    return built
