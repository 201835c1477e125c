"""oneDNN is chosen before TensorFlow is imported, and a process goes by what others did."""

import os
import platform
import sys

import pytest
from tensorflow.python.util import _pywrap_util_port

from gaal_alocc import onednn

X86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="no x86 processor")


@pytest.fixture
def choose(monkeypatch):
    """Choose, where the variable has a value or none, and give what is in the environment then."""

    def chosen(value, imported):
        # As the test ends both are put back.
        monkeypatch.setitem(os.environ, onednn.VARIABLE, value or "")
        if value is None:
            del os.environ[onednn.VARIABLE]
        if not imported:
            monkeypatch.delitem(sys.modules, "tensorflow")
        onednn.choose()
        return os.environ.get(onednn.VARIABLE)

    return chosen


@X86
@pytest.mark.skipif(not onednn.chosen(), reason="the environment chooses otherwise")
def test_tensorflow_computes_by_it_where_the_package_was_imported_first():
    assert _pywrap_util_port.IsMklEnabled()


@X86
def test_it_is_chosen_before_tensorflow_is_imported(choose):
    assert choose(None, imported=False) == "1"


@X86
@pytest.mark.parametrize("enabled", [True, False])
def test_processes_that_are_started_do_as_a_tensorflow_that_is_there(enabled, choose, monkeypatch):
    monkeypatch.setattr(_pywrap_util_port, "IsMklEnabled", lambda: enabled)
    assert choose(None, imported=True) == str(int(enabled))


@pytest.mark.parametrize("value", ["0", "1", "true", "False"])
def test_the_user_s_own_choice_holds(value, choose, monkeypatch):
    assert choose(value, imported=False) == value
    assert onednn.chosen() == (value in ("1", "true"))
    monkeypatch.delattr(_pywrap_util_port, "IsMklEnabled")  # a TensorFlow that does not tell
    assert onednn.enabled() == onednn.chosen()


def test_other_processors_are_left_to_tensorflow(choose, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert choose(None, imported=False) is None
