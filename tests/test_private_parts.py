"""What the packages use of TensorFlow and Keras that these do not document, in one place.

A release in which one of them is gone fails here by its name, and where it is used fails by none.
"""

import ast
import re
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.util import _pywrap_util_port

ROOT = Path(__file__).parents[1]


def graph():
    return tf.function(lambda: tf.ones(()), input_signature=[]).get_concrete_function()


def optimizer():
    made = keras.optimizers.RMSprop()
    made.build([keras.Variable(0.0)])
    return made


def model():
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def strategy():
    return tf.distribute.MirroredStrategy(["CPU:0"]).extended


def keys():
    made = strategy()._collective_keys
    assert made._known_groups
    return made


# Where it is got, and by what name.
PARTS = [
    (lambda: context, "context_safe"),
    (context.context, "_context_handle"),
    (context.context, "op_callbacks"),
    (lambda: _pywrap_util_port, "IsMklEnabled"),
    (graph, "captured_inputs"),
    (lambda: graph().inference_fn, "call_preflattened"),
    (lambda: keras.Variable(0.0).value, "handle"),
    (model, "train_function"),
    (model, "test_function"),
    (model, "_flatten_layers"),
    (model, "_functional"),
    (lambda: model()._functional, "_operations"),
    (lambda: model()._functional, "_inputs_struct"),
    (lambda: model()._functional, "_outputs_struct"),
    (optimizer, "_learning_rate"),
    (optimizer, "_velocities"),
    (optimizer, "_get_variable_index"),
    (optimizer, "_all_reduce_sum_gradients"),
    (optimizer, "_clip_gradients"),
    (lambda: keras.callbacks.TensorBoard, "_train_writer"),
    (strategy, "_collective_keys"),
    (keys, "_known_groups"),
    (keys, "_instance_key_table"),
    (keys, "_group_key"),
    (lambda: strategy()._collective_ops, "_launchers"),
    (lambda: strategy()._collective_ops._launchers[0], "_group_key"),
]


@pytest.mark.parametrize(("owner", "name"), PARTS, ids=[name for _, name in PARTS])
def test_the_private_part_is_there(owner, name):
    assert hasattr(owner(), name)


def test_no_other_is_used():
    used, own = set(), {"_fit_context", "_param_validation"}  # scikit-learn's
    own |= {"_validate_params", "_set_n_classes", "_process_decision_scores"}  # and PyOD's
    modules = {"tensorflow.python.eager", "tensorflow.python.util._pywrap_util_port"}
    for path in (p for name in ("gaal", "alocc", "gaal_alocc") for p in (ROOT / name).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute):
                (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = node.module.startswith(("tensorflow.", "keras.src"))
                assert not inner or node.module in modules, (path, node.module)
    argparse = {"_ActionsContainer", "_ArgumentGroup", "_SubParsersAction"}
    private = {name for name in used - own - argparse if re.match("_[^_]", name)}
    assert private <= {name for _, name in PARTS}
