"""Training on several devices and machines: one batch, divided over the replicas.

N replicas give one device's result within float error. Keras hands the whole batch to every
replica, so here it is divided, as evenly as it goes. Keras adds the replicas' gradients up and
divides every replica's mean loss by N, which is right for equal shares; the losses of unequal
ones are weighted by their rows. Losses come back as the whole batch's.

The updates themselves stay in cross-replica context: what is no step of a model, such as the
choice of a batch, runs once on every machine.
"""

import contextlib
import functools
import itertools
import math
import os
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from gaal_alocc import preconditions

preconditions.check()

NAMES = ("mirrored", "multiworker")
KINDS = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
)

# Every strategy of TensorFlow's calls its first group of devices 1.
_groups = itertools.count(100_000, 100)
_told_apart: weakref.WeakSet[tf.distribute.Strategy] = weakref.WeakSet()


def use_devices(count: int) -> None:
    """Have this process use so many devices: the first GPUs, or a CPU split into logical devices.

    Parameters
    ----------
    count : int
        At least 1.

    Raises
    ------
    ValueError
        If there are fewer GPUs (but some), or ``count`` is less than 1.
    RuntimeError
        If TensorFlow has started already.
    """
    if count < 1:
        raise ValueError(f"devices is {count}; expected 1 or more.")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if count > len(gpus):
            raise ValueError(f"devices is {count}, but this machine has {len(gpus)} GPUs.")
        tf.config.set_visible_devices(gpus[:count], "GPU")
    elif count > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(cpu, parts)


def grow_memory() -> None:
    """Have TensorFlow take a GPU's memory as it needs it, where that can still be chosen."""
    for gpu in tf.config.list_physical_devices("GPU"):
        # It has started, or the user has set limits to the memory.
        with contextlib.suppress(RuntimeError, ValueError):
            tf.config.experimental.set_memory_growth(gpu, True)


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One for all fits, which can so share more than the devices."""
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multiworker() -> tf.distribute.Strategy:
    """TensorFlow joins a cluster once in the life of a process, before anything else."""
    if "TF_CONFIG" not in os.environ:
        raise ValueError(
            "strategy is 'multiworker', but the environment has no TF_CONFIG, which names the"
            " workers and tells this process which of them it is. Set it, or hand over a"
            " MultiWorkerMirroredStrategy with a cluster_resolver."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise RuntimeError(
            "strategy is 'multiworker', but TensorFlow has computed something already and can"
            " no longer join a cluster. Call gaal_alocc.distribution.resolve('multiworker')"
            " where the program starts."
        ) from error


def _tell_apart(strategy: tf.distribute.Strategy) -> None:
    """Give the groups of devices of a strategy numbers that no other strategy's have.

    TensorFlow knows a message by the number of its group and its own in that group, and every
    strategy counts both from the same start. So a second one of the process, on the same
    devices or on others, sends messages that are taken for the first one's. Messages count on
    where they were, so that what the user has traced already keeps its own numbers.
    """
    keys = getattr(strategy.extended, "_collective_keys", None)  # none on one device
    workers = strategy.cluster_resolver is not None and strategy.cluster_resolver.cluster_spec()
    if keys is None or workers or strategy in _told_apart:  # workers must number alike
        return
    _told_apart.add(strategy)
    renamed = {}
    first = next(_groups)
    for group, devices in enumerate(list(keys._known_groups), first):
        former = keys._known_groups[devices]
        keys._known_groups[devices] = renamed[former] = group
        keys._instance_key_table[group] = keys._instance_key_table[former]
    keys._group_key = first + len(renamed)
    for part in vars(strategy.extended).values():
        for launcher in getattr(part, "_launchers", ()):
            launcher._group_key = renamed.get(launcher._group_key, launcher._group_key)


def resolve(strategy: tf.distribute.Strategy | str | None) -> tf.distribute.Strategy:
    """Make what a detector's parameter ``strategy`` means.

    Parameters
    ----------
    strategy : tf.distribute.Strategy, {"mirrored", "multiworker"} or None
        None is the current one. "mirrored" takes this machine's GPUs, or its logical CPUs
        where it has none; a single one needs no strategy. "multiworker" takes the machines of
        the environment's TF_CONFIG.

    Returns
    -------
    tf.distribute.Strategy
        TensorFlow's default strategy where there is nothing to distribute.

    Raises
    ------
    ValueError
        If there is no such strategy, it is of a kind that does not mirror weights, it mixes
        kinds of devices, or there is no TF_CONFIG.
    RuntimeError
        If TensorFlow has started too long ago to join a cluster.
    """
    grow_memory()
    if strategy is None:
        strategy = tf.distribute.get_strategy()
    elif strategy == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        devices = gpus or tf.config.list_logical_devices("CPU")
        if len(devices) == 1:
            return tf.distribute.get_strategy()
        strategy = _mirrored(tuple(device.name for device in devices))
    elif strategy == "multiworker":
        strategy = _multiworker()
    if strategy is tf.distribute.get_strategy() and not tf.distribute.has_strategy():
        return strategy
    if not isinstance(strategy, KINDS):
        raise ValueError(
            f"strategy is {strategy!r}; expected one of {NAMES}, or a MirroredStrategy, a"
            " MultiWorkerMirroredStrategy or a OneDeviceStrategy of tf.distribute."
        )
    devices = strategy.extended.worker_devices
    kinds = {tf.DeviceSpec.from_string(device).device_type for device in devices}
    if len(kinds) > 1:
        raise ValueError(
            f"strategy has the devices {', '.join(devices)}; expected devices of one kind: all"
            " get equal shares of a batch, and the fastest would wait for the slowest."
        )
    _tell_apart(strategy)
    return strategy


def from_command_line(
    strategy: str | None, devices: int | None, tensorboard: str | None
) -> str | None:
    """Carry out the options ``--strategy`` and ``--devices``, before TensorFlow starts.

    Parameters
    ----------
    strategy : {"mirrored", "multiworker"} or None
        None is "mirrored" where devices are asked for.
    devices : int or None
        See :func:`use_devices`.
    tensorboard : str or None
        The option ``--tensorboard``. Every worker would write its folder, of which each needs
        one of its own; of a command only the first worker writes files.

    Returns
    -------
    str or None
        A detector's parameter ``strategy``.

    Raises
    ------
    ValueError
        If there are no such devices, or they cannot be used so.
    """
    if strategy == "multiworker" and tensorboard is not None:
        raise ValueError(
            f"tensorboard is {tensorboard} with the strategy 'multiworker', where every worker"
            " would write the run to this folder; expected None."
        )
    if devices is not None:
        if strategy == "multiworker" and devices > 1 and not tf.config.list_physical_devices("GPU"):
            raise ValueError(
                f"devices is {devices} with the strategy 'multiworker', which divides GPUs only:"
                " a worker without any is one replica."
            )
        use_devices(devices)
        strategy = strategy or "mirrored"
    resolve(strategy)  # a cluster is joined before anything else
    return strategy


@contextlib.contextmanager
def scope(strategy: tf.distribute.Strategy | str | None) -> Iterator[None]:
    """Make models, and train them, with the strategy of a detector's parameter.

    Parameters
    ----------
    strategy : tf.distribute.Strategy, {"mirrored", "multiworker"} or None
        See :func:`resolve`.
    """
    preconditions.check()
    strategy = resolve(strategy)
    if strategy is tf.distribute.get_strategy():
        yield
    else:
        with strategy.scope():
            yield


def is_chief(strategy: tf.distribute.Strategy | str | None = None) -> bool:
    """Whether this process is the one that writes files and shows progress, see :func:`resolve`."""
    resolver = resolve(strategy).cluster_resolver
    if resolver is None or not resolver.cluster_spec():
        return True
    chief = "chief" in resolver.cluster_spec().jobs
    return (resolver.task_type, resolver.task_id) == ("chief" if chief else "worker", 0)


def has_workers() -> bool:
    """Whether the current strategy goes over several processes."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    return resolver is not None and bool(resolver.cluster_spec())


def check_snapshots(checkpoint_dir: str | os.PathLike | None) -> None:
    """Raise a ValueError where several workers would each write snapshots of one run."""
    if checkpoint_dir is not None and has_workers():
        raise ValueError(
            f"checkpoint_dir is {checkpoint_dir}, but several workers train, whose snapshots need"
            " not be of the same epoch; expected None."
        )


def agree(seed: int, X: np.ndarray) -> int:
    """Have the workers of the current strategy train with the first one's seed, on the same data.

    Without workers it is the seed that is given. A ValueError is raised on every worker where they
    hold different data.
    """
    if not has_workers():
        return seed
    strategy = tf.distribute.get_strategy()
    own = tf.constant([[seed, zlib.crc32(np.ascontiguousarray(X))]], tf.int64)
    context = strategy.experimental_distribute_values_from_function(lambda context: own)
    seeds, checksums = strategy.gather(context, axis=0).numpy().T
    if len(set(checksums)) > 1:
        raise ValueError("X is not the same on all workers; expected every one to hand over all.")
    return int(seeds[0])


def shares(rows: int, replicas: int) -> list[int]:
    """Divide rows over replicas, as evenly as it goes; the first may get one more than the last.

    Raises a ValueError where a replica would get none.
    """
    if rows < replicas:
        raise ValueError(
            f"{rows} rows cannot be divided over {replicas} replicas: use fewer devices, or a"
            " larger batch_size."
        )
    least, more = divmod(rows, replicas)
    return [least + (replica < more) for replica in range(replicas)]


def per_replica(values: Sequence) -> tf.distribute.DistributedValues:
    """Give replica i of the current strategy ``values[i]``."""
    return tf.distribute.get_strategy().experimental_distribute_values_from_function(
        lambda context: values[context.replica_id_in_sync_group]
    )


def divide(x: tf.Tensor, axis: int = 0) -> tf.distribute.DistributedValues:
    """Give every replica of the current strategy its share of a batch's rows, along an axis."""
    sizes = shares(x.shape[axis], tf.distribute.get_strategy().num_replicas_in_sync)
    return per_replica(tf.split(x, sizes, axis))


def weights(rows: int) -> tf.distribute.DistributedValues | None:
    """Each replica's weight of the mean loss over its share; None where all are 1."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    sizes = shares(rows, replicas)
    if len(set(sizes)) == 1:
        return None
    # Of shape (1,): Keras would take a scalar for a sign to drop an axis of a share of one row.
    dtype = keras.config.floatx()
    return per_replica([tf.constant([size * replicas / rows], dtype) for size in sizes])


@tf.autograph.experimental.do_not_convert
def run_step(model: keras.Model, step: Callable, x, y) -> dict:
    """Run a model's ``train_step`` or ``test_step`` on a batch, divided where there is a strategy.

    x and y are the whole batch, tensors or lists of them, along the model's ``batch_axis``, 0 by
    default. ``step`` takes Keras's (x, y) or (x, y, sample_weight). The logs are the whole batch's.
    """
    if not tf.distribute.in_cross_replica_context():
        return step((x, y))

    def on_replica(x, y, weight):
        # Some logs are variables, in which a message has no device to start from.
        logs = {name: tf.identity(log) for name, log in step((x, y, weight)).items()}
        return tf.distribute.get_replica_context().all_reduce("MEAN", logs)

    strategy, axis = tf.distribute.get_strategy(), getattr(model, "batch_axis", 0)
    divided = tf.nest.map_structure(lambda part: divide(part, axis), (x, y))
    rows = tf.nest.flatten(x)[0].shape[axis]
    logs = strategy.run(on_replica, args=(*divided, weights(rows)))
    return {name: strategy.experimental_local_results(log)[0] for name, log in logs.items()}


def divide_batches(model: keras.Model) -> None:
    """Have ``train_on_batch`` and ``test_on_batch`` divide batches as :func:`run_step`.

    The model is compiled in the scope of the strategy that is to train it. Without one it is left
    as it is.
    """
    if not tf.distribute.has_strategy():
        return

    def function(step: Callable) -> Callable:
        graph = tf.function(lambda x, y: run_step(model, step, x, y))

        def on_batches(batches: Iterator) -> dict:
            x, y, _ = next(batches)
            return graph(x, y)

        return on_batches

    model.train_function = function(model.train_step)
    model.test_function = function(model.test_step)


@tf.autograph.experimental.do_not_convert
def by_rows(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Apply a function of rows, each for itself, in a graph divided where there is a strategy.

    All rows come back on every machine. Outside a graph every machine does all of them itself: it
    costs less than to start replicas.
    """
    if tf.executing_eagerly() or not tf.distribute.in_cross_replica_context():
        return function(x)
    strategy = tf.distribute.get_strategy()
    if x.shape[0] < strategy.num_replicas_in_sync:
        return function(x)
    rows = strategy.gather(strategy.run(function, args=(divide(x),)), axis=0)
    return tf.ensure_shape(rows, (x.shape[0], *rows.shape[1:]))  # gather forgets how many


def moments(x: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and variance over some axes, of the whole batch also where this is a share of it.

    The batch's axis is among them. The third, a scalar, tells how many numbers each is of.
    """
    count = keras.ops.cast(keras.ops.size(x) // math.prod(_others(x, axes)), x.dtype)
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return *keras.ops.moments(x, axes), count
    # One message for all three. Keras's own synchronized=True sends three, and keeps the count.
    sums = [keras.ops.sum(x, axes), keras.ops.sum(x * x, axes)]
    count, total, squares = replica.all_reduce("SUM", [count, *sums])
    mean = total / count
    return mean, tf.maximum(squares / count - mean * mean, 0), count


def _others(x: tf.Tensor, axes: Sequence[int]) -> list[int]:
    return [size for axis, size in enumerate(x.shape) if axis not in axes]
