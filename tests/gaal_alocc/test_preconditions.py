"""What a process lacks is told in one sentence, and not by a hang or from inside."""

import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from alocc import ALOCC, training
from gaal import MOGAAL, SOGAAL
from gaal_alocc import preconditions

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).random((40, 3))
IMAGES = np.random.default_rng(0).random((8, 16, 16))


def run(*arguments, **environment):
    process = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return process.returncode, process.stdout, process.stderr


def in_a_fork(function):
    """What a function raises in a forked child; "done" where it raises nothing."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def child():
        try:
            function()
            there.send("done")
        except Exception as error:
            there.send(f"{type(error).__name__}: {error}")

    process = context.Process(target=child, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of forks and threads
        process.start()
    try:
        return here.recv() if here.poll(60) else "hangs"
    finally:
        process.kill()
        process.join()


@pytest.fixture(scope="module")
def fitted():
    def no_training(*_, algorithm, on_epoch, **__):
        on_epoch(0, {})
        return pd.DataFrame(0.0, range(1), [*algorithm.losses, "epoch"])

    gaal = SOGAAL(stop_epochs=1, random_state=0).fit(X)
    alocc = ALOCC(1, batch_size=8, gf_dim=2, df_dim=2, random_state=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", no_training)
        alocc.fit(IMAGES)
    return {"gaal": gaal, "alocc": alocc}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    "use",
    [
        lambda fitted: SOGAAL(stop_epochs=1).fit(X),
        lambda fitted: MOGAAL(k=3, stop_epochs=1).fit(X),
        lambda fitted: ALOCC(batch_size=4).fit(IMAGES),
        lambda fitted: fitted["gaal"].score_samples(X),
        lambda fitted: fitted["gaal"].predict(X),
        lambda fitted: fitted["alocc"].score_samples(IMAGES),
        lambda fitted: fitted["alocc"].reconstruct(IMAGES),
    ],
)
def test_a_fork_of_a_process_that_has_used_tensorflow_is_told_what_to_do(fitted, use):
    answer = in_a_fork(lambda: use(fitted))
    assert answer.startswith("RuntimeError: This process was forked")
    assert "loky" in answer
    assert 'multiprocessing.get_context("spawn")' in answer


FORKS = """
import multiprocessing
import numpy as np

def fit(_):
    from gaal import SOGAAL
    return len(SOGAAL(stop_epochs=1).fit(np.eye(4)).history_)

if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool
    import tensorflow as tf
    with pool(1) as workers:
        print("before", workers.map(fit, [0]))
    tf.ones(3)
    with pool(1) as workers:  # gaal is first imported there
        try:
            workers.map_async(fit, [0]).get(60)
        except Exception as error:
            print("after", type(error).__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no fork, or no /proc")
def test_a_fork_before_tensorflow_is_used_trains(tmp_path):
    (tmp_path / "forks.py").write_text(FORKS)
    _, out, err = run(tmp_path / "forks.py")
    assert out == "before [3]\nafter RuntimeError\n", err


@pytest.mark.parametrize("module", ["from gaal import SOGAAL", "from alocc import ALOCC"])
def test_another_backend_of_keras_is_refused_on_import(module):
    code, _, err = run("-c", module, KERAS_BACKEND="jax")  # whether it is installed or not
    assert code == 1
    assert err.splitlines()[-1].startswith("ImportError: Keras's backend is jax")
    assert "KERAS_BACKEND=tensorflow" in err


def test_a_backend_that_is_there_is_refused_too(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(ImportError, match="backend is torch"):
        preconditions.check_backend()


@pytest.mark.slow
@pytest.mark.parametrize("told_by", ["environment", "keras.json"])
def test_the_commands_choose_the_backend_themselves(told_by, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "torch", "floatx": "float32"}')
    told = {"environment": {"KERAS_BACKEND": "jax"}, "keras.json": {"KERAS_HOME": str(tmp_path)}}
    program = "import sys; from gaal.cli import so_gaal; sys.exit(so_gaal(sys.argv[1:]))"
    arguments = ["--path", "WDBC", "--stop_epochs", "1", "--quiet"]
    code, out, err = run("-c", program, *arguments, **told[told_by])
    assert code == 0, err
    assert out.startswith("AUC ")
    assert err == ""  # none of TensorFlow's lines about the machine


def test_graph_mode_is_refused(fitted):
    with tf.Graph().as_default():
        for use in (
            lambda: SOGAAL(stop_epochs=1).fit(X),
            lambda: ALOCC(batch_size=4).fit(IMAGES),
            lambda: fitted["gaal"].score_samples(X),
            lambda: fitted["alocc"].predict(IMAGES),
        ):
            with pytest.raises(RuntimeError, match="graph mode"):
                use()
    assert len(SOGAAL(stop_epochs=1).fit(X).history_) == 3
