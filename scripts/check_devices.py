"""Check this machine's devices: whether they compute what was recorded, and how fast.

Replays the recorded runs of the published programs on the CPU, on each GPU and on all GPUs
together, by train_on_batch and by the graph, with and without XLA; fits the detectors there and
compares with the CPU; and measures updates a second. Prints Markdown to paste into a report.
The exit status is 1 where something differs by more than the tolerances.
"""

import argparse
import contextlib
import functools
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from replay import program_of

import gaal_alocc.cli
from gaal_alocc.files import write_aside
from gaal_alocc.startup import importing_tensorflow

TRACES = Path(__file__).parents[1] / "tests" / "traces"
DOORS = {"train_on_batch": 1, "graph": "auto"}
# Of fits of few updates, as shares of losses, scores and weights near 1.
FIT_TOLERANCE = {"SO-GAAL": 1e-4, "MO-GAAL": 1e-4, "ALOCC, float64": 1e-6}
N_FEATURES = 20


@dataclass
class Place:
    """Where to compute: one device, or all of a kind together."""

    name: str
    device: str | None  # None for a strategy

    def entered(self) -> contextlib.AbstractContextManager:
        """Compute here inside the ``with``."""
        import tensorflow as tf

        from gaal_alocc import distribution

        return tf.device(self.device) if self.device else distribution.scope("mirrored")

    def fit(self, detector, X) -> None:
        """Fit a detector here, and pass over what it says of its length."""
        detector.set_params(strategy=None if self.device else "mirrored")
        here = self.entered() if self.device else contextlib.nullcontext()
        with here, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detector.fit(X)


def places() -> list[Place]:
    """Find the CPU, by which the others are judged, and all that is there beside it."""
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    cpus = tf.config.list_logical_devices("CPU")
    singles = [*cpus[:1], *gpus] if gpus else cpus
    found = [Place(device.name.removeprefix("/device:"), device.name) for device in singles]
    together = gpus or cpus
    if gpus or len(cpus) > 1:
        kind = "GPU" if gpus else "CPU"
        found.append(Place(f"{len(together)} x {kind}, mirrored", None))
    return found


@contextlib.contextmanager
def with_xla(wanted: bool) -> Iterator[None]:
    """Have GAAL's graphs compiled by XLA, or not, however short they are."""
    from gaal import detectors, doors

    limits = {"XLA_UPDATES": 0, "XLA_NUMBERS": math.inf} if wanted else {"XLA_UPDATES": math.inf}
    with (
        mock.patch.multiple(doors, **limits),
        mock.patch.object(detectors, "_AS_WRITTEN", True),  # programs know whether XLA made them
    ):
        yield


@contextlib.contextmanager
def with_tf32(wanted: bool) -> Iterator[None]:
    """Have GPUs multiply float32 by its first 10 bits, as TensorFlow lets them, or by all."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(wanted)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


class Report:
    """The Markdown, and what in it is not as it should be."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.problems: list[str] = []

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)

    def table(self, columns: list[str], found: list[Place]) -> None:
        head = [*columns, *(place.name for place in found)]
        self.say("", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}")

    def row(
        self, labels: list[str], found: list[Place], measure: Callable[[Place], str | float | None]
    ) -> None:
        """Measure at every place; what goes wrong at one stops nothing else.

        A number is a difference as a share of its tolerance, and a problem from 1 on.
        """
        cells = []
        for place in found:
            where = ", ".join([*filter(None, labels), place.name])
            try:
                cell = measure(place)
            except Exception as error:  # whatever a driver or a missing kernel leads to
                kind = type(error).__name__
                self.problems.append(f"{where}: {kind}: {' '.join(str(error).split())}")
                cell = f"**{kind}**"
            if isinstance(cell, float):
                share, cell = cell, f"{cell:.2g}"
                if not share <= 1:  # NaN is a problem too
                    self.problems.append(f"{where}: {cell} times the tolerance")
                    cell = f"**{cell}**"
            cells.append(cell or "")
        self.say(f"| {' | '.join([*labels, *cells])} |")


# ---------------------------------------------------------------------------------------
# Numbers


def replays(report: Report, found: list[Place], traces: list[Path], tf32: list[bool]) -> None:
    """Show the largest difference of every replay, of those allowed."""
    report.say("", "### Recorded runs, replayed", "")
    report.say(
        "The largest difference from the record, as a share of what is allowed; bold is too much."
    )
    report.table(["run", "by"], found)
    for path in traces:
        program = program_of(str(path))
        doors = [(name, steps, False) for name, steps in DOORS.items()]
        if program[0].__module__.startswith("gaal."):
            doors.append(("graph, XLA", "auto", True))
            fast = tf32
        else:
            fast = [False]  # the records are of float64
        for multiply_fast in fast:
            for door, steps, xla in doors:
                by = f"{door}, TF32" if multiply_fast else door
                measure = functools.partial(_replayed, program, path, steps, xla, multiply_fast)
                report.row([path.stem, by], found, measure)


def _replayed(program, path, steps, xla: bool, tf32: bool, place: Place) -> str | float | None:
    if xla and place.device is None:
        return None
    replay, tolerance = program
    with place.entered(), with_xla(xla), with_tf32(tf32):
        differences = replay(path, steps)
    shares = [float(value / tolerance(name)) for name, value in differences.items()]
    worst = math.nan if any(map(math.isnan, shares)) else max(shares)
    return f"({worst:.2g})" if tf32 else worst  # TF32 is coarser than the record: no fault


def _fit(name: str, steps: int | str, place: Place):
    """Fit a small detector at a place; give its numbers and the device of its weights."""
    from alocc import ALOCC
    from gaal import MOGAAL, SOGAAL
    from gaal_alocc.precision import computing_in

    rng = np.random.default_rng(0)
    common = {"steps_per_execution": steps, "random_state": 0}
    if name == "ALOCC, float64":
        X, precision = rng.random((32, 16, 16)), "float64"
        detector = ALOCC(epochs=1, batch_size=15, gf_dim=2, df_dim=2, **common)
    else:
        X, precision = rng.random((300, 5), dtype=np.float32), "float32"
        made = {"SO-GAAL": SOGAAL, "MO-GAAL": MOGAAL}[name]
        detector = made(stop_epochs=3, batch_size=101, **common)
    with computing_in(precision):
        place.fit(detector, X)
        numbers = [detector.history_.to_numpy(float), detector.score_samples(X)]
        numbers += detector.discriminator_.get_weights() + detector.generator_.get_weights()
    return numbers, detector.discriminator_.weights[0].value.device


def fits(report: Report, found: list[Place]) -> None:
    """Compare small fits of one seed with the CPU's."""
    report.say("", "### The same fit as on the CPU", "")
    report.say(
        "The largest difference of losses, scores and weights, as a share of what is allowed"
        f" ({', '.join(f'{name}: {t:g}' for name, t in FIT_TOLERANCE.items())})."
    )
    report.table(["detector", "by"], found[1:])
    for name in FIT_TOLERANCE:
        for door, steps in DOORS.items():
            with with_tf32(False):
                expected, _ = _fit(name, steps, found[0])
                measure = functools.partial(_fitted, name, steps, expected)
                report.row([name, door], found[1:], measure)


def _fitted(name: str, steps: int | str, expected: list, place: Place) -> float:

    numbers, device = _fit(name, steps, place)
    if place.device is not None and not device.endswith(place.device):
        raise RuntimeError(f"the weights are on {device}")
    away = [float(np.max(np.abs(a - b))) for a, b in zip(numbers, expected)]
    return (math.nan if any(map(math.isnan, away)) else max(away)) / FIT_TOLERANCE[name]


# ---------------------------------------------------------------------------------------
# Speed


@dataclass
class Setting:
    """A training to be timed."""

    algorithm: str
    n: int
    batch_size: int
    k: int = 1

    def fit(self, n_epochs: int, place: Place) -> None:
        """Train, from weights to weights, for so many epochs."""
        from alocc import ALOCC
        from gaal import MOGAAL, SOGAAL

        common = {"batch_size": self.batch_size, "random_state": 0}
        rng = np.random.default_rng(0)
        if self.algorithm == "ALOCC":
            X = rng.random((self.n, 28, 28), dtype=np.float32)
            detector = ALOCC(n_epochs, **common)
        else:
            X = rng.random((self.n, N_FEATURES), dtype=np.float32)
            common |= {"stop_epochs": n_epochs, "epochs": n_epochs}
            detector = MOGAAL(self.k, **common) if self.k > 1 else SOGAAL(**common)
        place.fit(detector, X)

    def updates_a_second(self, place: Place, seconds: float) -> float:
        """Measure by the difference of a long and a short fit, both with their graphs traced."""

        def time_of(n_epochs: int) -> float:
            times = []
            # The first fit of a length traces, and compiles; under a strategy every one does.
            for _ in range(3 if place.device else 1):
                start = time.perf_counter()
                self.fit(n_epochs, place)
                times.append(time.perf_counter() - start)
            return min(times[1:] or times)

        short, n_epochs, fixed = 1, 2, time_of(1)
        enough = max(seconds, fixed)  # what is fixed varies, and must not pass for updates
        while True:
            spent = time_of(n_epochs) - fixed
            if spent >= enough:
                return (n_epochs - short) * (self.n // self.batch_size) / spent
            growth = 1.3 * enough / max(spent, enough / 20)
            n_epochs = math.ceil(n_epochs * max(growth, 1.5))


def settings(quick: bool) -> list[Setting]:
    """Batch sizes of SO-GAAL and ALOCC, k and n of MO-GAAL."""
    if quick:
        return [
            Setting("SO-GAAL", 1000, 500),
            Setting("MO-GAAL", 1000, 500, 10),
            Setting("ALOCC", 32, 16),
        ]
    return [
        *(Setting("SO-GAAL", 10_000, batch_size) for batch_size in (100, 500, 2500)),
        *(Setting("MO-GAAL", 1000, 500, k) for k in (5, 10, 20)),
        *(Setting("MO-GAAL", n, 500, 10) for n in (10_000, 100_000)),
        *(Setting("ALOCC", 2 * batch_size, batch_size) for batch_size in (32, 128, 512)),
    ]


def speeds(report: Report, found: list[Place], quick: bool, seconds: float) -> None:
    """Show updates a second, with and without XLA."""
    report.say("", "### Updates a second", "")
    report.say(
        f"By the graph, of {N_FEATURES} features, and of ALOCC 28 x 28 pixels; by fits that take at"
        f" least {seconds:g} s more than one epoch. XLA is GAAL's, and not for several devices."
    )
    report.table(["algorithm", "n", "k", "batch", "XLA"], found)
    for setting in settings(quick):
        for xla in (False, True) if setting.algorithm != "ALOCC" else (False,):
            k = str(setting.k) if setting.k > 1 else ""
            numbers = [f"{setting.n:,}", k, str(setting.batch_size), "yes" if xla else "no"]
            measure = functools.partial(_rate, setting, xla, seconds)
            report.row([setting.algorithm, *numbers], found, measure)


def _rate(setting: Setting, xla: bool, seconds: float, place: Place) -> str | None:
    if xla and place.device is None:
        return None
    with with_xla(xla):
        return f"{setting.updates_a_second(place, seconds):,.4g}"


# ---------------------------------------------------------------------------------------


def describe() -> list[str]:
    """Name the machine and the versions, as lines of a list."""
    import keras
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    lines = [
        f"gaal-alocc {gaal_alocc.__version__}, TensorFlow {tf.__version__}, Keras"
        f" {keras.__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{os.cpu_count()} CPU cores, {platform.processor() or platform.machine()}",
    ]
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ())))
        lines.append(
            f"{gpu.name.removeprefix('/physical_device:')}: {details.get('device_name', '?')}"
            f" of compute capability {capability or '?'}; TensorFlow built for CUDA"
            f" {build.get('cuda_version', '?')} and cuDNN {build.get('cudnn_version', '?')}"
        )
    if not tf.config.list_physical_devices("GPU"):
        lines.append("no GPU that TensorFlow finds")
    return [f"- {line}" for line in lines]


def main(argv: list[str] | None = None) -> int:
    """Exit with 0 where all is within its tolerance, 1 where it is not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="the first N GPUs only; without GPUs, the CPU in N parts",
    )
    parser.add_argument(
        "--traces",
        type=gaal_alocc.cli.path,
        nargs="+",
        metavar="FILE",
        help="recorded runs, by default all in tests/traces",
    )
    parser.add_argument("--quick", action="store_true", help="measure small settings only")
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        help="how long to measure each speed, 1 by default; 0 measures none",
    )
    parser.add_argument(
        "--output", type=gaal_alocc.cli.path, metavar="FILE", help="write the Markdown here too"
    )
    args = parser.parse_args(argv)
    if not 0 <= args.seconds < math.inf:
        parser.error(f"argument --seconds: {args.seconds:g}; expected 0 or more")
    traces = args.traces or sorted(TRACES.glob("*.npz"))
    missing = [path for path in traces if not path.is_file()]
    if missing or not traces:
        parser.error(f"argument --traces: no file {missing[0] if missing else TRACES}")
    if args.output is not None and not args.output.absolute().parent.is_dir():
        parser.error(f"argument --output: there is no folder {args.output.absolute().parent}")

    with importing_tensorflow():
        from gaal_alocc import distribution
    if args.devices is not None:
        try:
            distribution.use_devices(args.devices)
        except (ValueError, RuntimeError) as error:
            parser.error(str(error))
    distribution.grow_memory()
    found = places()

    report = Report()
    report.say("## Devices checked", "", *describe())
    command = ["python scripts/check_devices.py", *(sys.argv[1:] if argv is None else argv)]
    report.say(f"- `{' '.join(command)}`")
    # Without GPUs there is no TF32.
    replays(report, found, traces, [False, True] if "GPU" in found[-1].name else [False])
    if len(found) > 1:
        fits(report, found)
    if args.seconds > 0:
        speeds(report, found, args.quick, args.seconds)
    report.say("")
    if report.problems:
        report.say("**Not as it should be:**", "", *(f"- {text}" for text in report.problems))
    else:
        report.say("Everything is within its tolerance.")
    if args.output is not None:
        text = "\n".join(report.lines) + "\n"
        write_aside(args.output, lambda path: path.write_text(text))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
