"""Keras's files of the networks are read wherever the packages are imported; Triton comes first."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import alocc
import gaal
import gaal_alocc
from alocc import networks as networks_of_alocc
from gaal import networks as networks_of_gaal
from gaal_alocc import imports

ROOT = Path(__file__).parents[2]
ROWS = np.random.default_rng(0).random((40, 3)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((8, 18, 17, 1)).astype(np.float32)


def in_another_process(program, *arguments, path=""):
    process = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def models():
    """Networks of every kind, compiled as for a training, with an input."""
    pairs = []
    for k in (None, 3):
        parts = networks_of_gaal
        generator = parts.build_generator(3) if k is None else parts.build_sub_generators(3, k)
        gan = parts.combine(generator, parts.build_discriminator(3, 40))
        parts.compile_models(gan, 0.01, 0.001, 1e-6, 0.9)
        z = ROWS if k is None else np.stack([ROWS] * k)
        pairs += [(gan.discriminator, ROWS), (generator, z), (gan.combine_model, z)]
    parts = networks_of_alocc
    for fidelity, decoder in zip(parts.FIDELITIES, ("transpose", "upsampling", "transpose")):
        ingredients = parts.FIDELITIES[fidelity]
        generator = parts.build_generator((18, 17, 1), 2, 2, decoder, ingredients)
        discriminator = parts.build_discriminator((18, 17, 1), 2, ingredients)
        nets = parts.combine(generator, discriminator, ingredients)
        parts.compile_models(nets, ingredients=ingredients)
        pairs += [(discriminator, IMAGES), (nets.adversarial_model, IMAGES)]
    return pairs


def packages_names():
    own = ("gaal", "gaal_alocc", "alocc")
    return {n for n in keras.saving.get_custom_objects() if n.partition(">")[0].startswith(own)}


def test_all_that_is_registered_is_announced():
    for package in (gaal, alocc, gaal_alocc):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if module.name != "gaal.pyod":  # it needs PyOD, and registers nothing
                importlib.import_module(module.name)
    announced = {
        f"{package}>{name}"
        for table in (imports.CLASSES, imports.FUNCTIONS)
        for (package, _), names in table.items()
        for name in names.split()
    }
    assert packages_names() == announced


LOADS = """
import json, sys
import gaal_alocc
assert "keras" not in sys.modules and "tensorflow" not in sys.modules
import keras, numpy as np
from pathlib import Path

answers = {}
for path in sorted(Path(sys.argv[1]).glob("*.*")):
    if path.suffix == ".npy":
        continue
    model = keras.models.load_model(path)
    y = model(np.load(path.with_suffix(".npy")), training=False)
    answers[path.name] = [np.asarray(part).tolist() for part in (y if type(y) is list else [y])]
    if path.name == "0.keras":  # and what was loaded can be saved
        model.save(path)
        assert keras.models.load_model(path).optimizer.momentum == 0.9
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_importing_the_package_is_enough_to_load_what_it_saved(models, tmp_path):
    expected = {}
    for i, (model, x) in enumerate(models):
        path = tmp_path / f"{i}.keras"
        y = model(x, training=False)
        model.save(path)
        np.save(path.with_suffix(".npy"), x)
        expected[path.name] = [np.asarray(part) for part in (y if isinstance(y, list) else [y])]
    answers = in_another_process(LOADS, tmp_path)
    assert list(answers) == sorted(expected)
    for name, parts in answers.items():
        for part, other in zip(parts, expected[name], strict=True):
            np.testing.assert_array_equal(np.float32(part), other)


def test_keras_may_have_been_imported_first(models, tmp_path, monkeypatch):
    model, _ = models[0]
    model.save(tmp_path / "d.keras")
    known = keras.saving.get_custom_objects()
    for name in packages_names():
        monkeypatch.delitem(known, name)
    with pytest.raises(TypeError, match="Could not locate"):
        keras.models.load_model(tmp_path / "d.keras")
    monkeypatch.setattr(sys, "meta_path", [])
    imports.watch()
    monkeypatch.undo()
    loaded = keras.models.load_model(tmp_path / "d.keras")
    np.testing.assert_array_equal(loaded(ROWS), model(ROWS))


FAKES = """
import json, sys
order = sys.order = []
{0}
print(json.dumps(order))
"""


@pytest.mark.parametrize("package", ["gaal", "alocc", "gaal_alocc"])
def test_triton_is_imported_before_tensorflow(package, tmp_path):
    for name in ("triton", "tensorflow"):
        (tmp_path / f"{name}.py").write_text(f"import sys\nsys.order.append({name!r})\n")
    program = FAKES.format(f"import {package}, tensorflow")
    assert in_another_process(program, path=tmp_path) == ["triton", "tensorflow"]


def test_a_triton_that_cannot_be_imported_is_left_out(tmp_path):
    (tmp_path / "triton.py").write_text("raise OSError('no driver')\n")
    (tmp_path / "tensorflow.py").write_text("import sys\nsys.order.append('tensorflow')\n")
    assert in_another_process(FAKES.format("import gaal, tensorflow"), path=tmp_path) == [
        "tensorflow"
    ]
