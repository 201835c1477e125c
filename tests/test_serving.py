"""What docs/serving.md says of other formats holds, where their libraries are there."""

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alocc import ALOCC
from gaal import SOGAAL

PAGE = (Path(__file__).parents[1] / "docs" / "serving.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n.*?```python\n(.*?)```", PAGE, flags=re.M | re.S))
X = np.random.default_rng(0).random((60, 3), np.float32)
IMAGES = np.random.default_rng(0).random((8, 16, 17, 1), np.float32)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted():
    small = {"batch_size": 4, "gf_dim": 2, "df_dim": 2, "epochs": 1, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short trainings
        detector = SOGAAL(stop_epochs=1, random_state=0).fit(X)
        return {"detector": detector, "alocc": ALOCC(**small).fit(IMAGES), "X": X}


def run(section, fitted, folder, monkeypatch):
    """The value of a section's last line, and its names."""
    code = SECTIONS[section]
    for library in re.findall(r"^import (\w+)", code, flags=re.M):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"no {library}")
    monkeypatch.chdir(folder)
    names = dict(fitted)
    *lines, last = code.rstrip().splitlines()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries'
        exec("\n".join(lines), names)
        if " = " in last:
            exec(last, names)
            return None, names
        return eval(last, names), names


@pytest.mark.parametrize("section", ["Keras", "SavedModel", "ONNX", "MLflow"])
def test_it_gives_the_scores(section, fitted, tmp_path, monkeypatch):
    scores, _ = run(section, fitted, tmp_path, monkeypatch)
    expected = fitted["detector"].score_samples(X)
    np.testing.assert_allclose(np.ravel(scores), expected, atol=1e-6)


def lite(content, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_tflite_takes_r_with_tf_select_alone(fitted, tmp_path, monkeypatch):
    _, names = run("TFLite", fitted, tmp_path, monkeypatch)
    assert names["lite"][4:8] == b"TFL3"
    names["converter"].target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with pytest.raises(Exception, match="FlatBuffer"):
        names["converter"].convert()


@pytest.mark.parametrize("fidelity", ["published", "corrected", "authors"])
def test_tflite_takes_every_d_and_r_transposed_for_any_number_of_images(fidelity, tmp_path):
    from alocc import networks

    ingredients = networks.FIDELITIES[fidelity]
    for model in (
        networks.build_discriminator((16, 17, 1), 2, ingredients),
        networks.build_generator((16, 17, 1), 2, 2, "transpose", ingredients),
    ):
        model.export(tmp_path / model.name, verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / model.name)).convert()
        np.testing.assert_allclose(lite(content, IMAGES), model(IMAGES, training=False), atol=1e-5)


def test_skops_does_not(fitted):
    skops = pytest.importorskip("skops.io")
    with pytest.raises(RecursionError):
        skops.dumps(fitted["detector"])
