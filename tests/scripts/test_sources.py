"""Published files are found where they were put, in Keras's cache, by a short download, or not."""

import dataclasses
import hashlib
import http.server
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from reproduction import sources

from gaal import datasets

CONTENT = b'1,"nor",0.5,0.25\n' * 9000  # some blocks of a socket
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAMES = ("onecluster", "mnist")


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch, tmp_path):
    """Let both published files have the same bytes, be nowhere, and nobody be waited for."""
    monkeypatch.delenv("GAAL_DATA_HOME", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    entry = datasets.PUBLISHED["onecluster"]
    monkeypatch.setitem(datasets.PUBLISHED, "onecluster", dataclasses.replace(entry, sha256=SHA256))
    monkeypatch.setattr(sources, "MNIST_SHA256", SHA256)
    monkeypatch.setattr(sources, "ANSWER", 0.5)
    monkeypatch.setattr(sources, "PATIENCE", dict.fromkeys(NAMES, 1.0))


@pytest.fixture
def serve(monkeypatch):
    """Answer as ``answer(send)`` does, which is set by the test; returns what was asked for."""
    asked, state = [], {"answer": None}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            state["answer"](self)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(datasets, "DATA_URL", at + "/{name}")
    monkeypatch.setattr(sources, "MNIST_URL", f"{at}/mnist.npz")

    def start(answer):
        state["answer"] = answer
        return asked

    yield start
    server.shutdown()
    server.server_close()


def send(content):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def missing(handler):
    handler.send_error(404)


def silent(handler):
    time.sleep(3)


def slow(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    for i in range(0, len(CONTENT), len(CONTENT) // 30):
        handler.wfile.write(CONTENT[i : i + len(CONTENT) // 30])
        time.sleep(0.1)


def left_in(tmp_path):
    return [path for path in (tmp_path / "keras").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_downloaded_into_keras_s_cache_once(name, serve, tmp_path):
    asked = serve(send(CONTENT))
    path, told = sources.find(name, None, offline=False)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "keras")
    assert told == f"{name} downloaded to {path}"
    assert sources.find(name, None, offline=False) == (path, f"{name} from {path}")
    assert sources.find(name, None, offline=True) == (path, f"{name} from {path}")
    assert len(asked) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (missing, "404"),
        (silent, "no answer in 0.5 s|timed out"),
        (slow, "not all of it in 1 s"),
        (send(b"something else"), "not the published file"),
        (send(CONTENT[:-1]), "not the published file"),
    ],
    ids=["missing", "silent", "slow", "wrong bytes", "cut off"],
)
def test_what_does_not_come_in_time_is_stood_in_for(name, answer, why, serve, tmp_path):
    serve(answer)
    start = time.monotonic()
    path, told = sources.find(name, None, offline=False)
    assert time.monotonic() - start < 2.5
    assert path is None
    assert told.startswith(sources.STAND_INS[name])
    assert re.search(why, told), told
    time.sleep(0.2)
    assert left_in(tmp_path) == []


def test_nobody_at_the_address_is_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "MNIST_URL", "http://127.0.0.1:9/mnist.npz")
    path, told = sources.find("mnist", None, offline=False)
    assert path is None
    assert "refused" in told


@pytest.mark.parametrize("name", NAMES)
def test_offline_asks_for_nothing(name, serve, tmp_path):
    asked = serve(send(CONTENT))
    path, told = sources.find(name, None, offline=True)
    assert path is None
    assert told == f"{sources.STAND_INS[name]} (--offline)"
    assert asked == []


def test_folders_come_before_the_cache_and_the_cache_before_a_download(
    serve, tmp_path, monkeypatch
):
    asked = serve(missing)
    folders = tmp_path / "home", tmp_path / "environment"
    cached = tmp_path / "keras" / "gaal" / "onecluster"
    for path in (folders[0] / "gaal" / "onecluster", folders[1] / "onecluster", cached):
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    monkeypatch.setenv("GAAL_DATA_HOME", str(folders[1]))

    def found(data_home):
        return sources.find("onecluster", data_home, offline=False)[0]

    assert found(folders[0]) == folders[0] / "gaal" / "onecluster"
    assert found(None) == found(tmp_path) == folders[1] / "onecluster"
    monkeypatch.delenv("GAAL_DATA_HOME")
    assert found(None) == cached
    assert asked == []
    cached.write_bytes(b"spoiled")
    assert found(None) is None
    assert asked == ["/onecluster"]
    assert cached.read_bytes() == b"spoiled"


def test_a_tilde_in_the_environment_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/cache")
    assert sources.keras_cache() == tmp_path / "cache"
    monkeypatch.setenv("GAAL_DATA_HOME", "~/home")
    (tmp_path / "home" / "UCSDped2" / "Train").mkdir(parents=True)
    (tmp_path / "home" / "UCSDped2" / "Test").mkdir()
    (tmp_path / "home" / "onecluster").write_bytes(CONTENT)
    assert sources.find_folder("ucsd", None) == tmp_path / "home" / "UCSDped2"
    path, _ = sources.find("onecluster", None, offline=True)
    assert path == tmp_path / "home" / "onecluster"
    assert sources.everything([], None, offline=True) == tmp_path / "home"


def test_a_wrong_file_in_a_folder_that_was_named_is_an_error(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"mnist\.npz is not the published mnist\.npz"):
        sources.find("mnist", tmp_path, offline=True)


def test_mnist_packed_anew_is_mnist_and_other_images_are_not(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(256, size=(4, 28, 28), dtype=np.uint8),
        "y_train": np.arange(4),
        "x_test": rng.integers(256, size=(2, 28, 28), dtype=np.uint8),
        "y_test": np.arange(2),
    }
    whole = np.concatenate([a.ravel().astype(np.uint8) for a in arrays.values()])
    monkeypatch.setattr(sources, "MNIST_ARRAYS_SHA256", sources.sha256(whole))
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "mnist.npz", **arrays)
        assert sources.find("mnist", tmp_path, offline=True)[0] == tmp_path / "mnist.npz"
    arrays["x_test"][1, 3, 5] ^= 1
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match=r"is not the published mnist\.npz"):
        sources.find("mnist", tmp_path, offline=True)


def test_the_address_of_mnist_is_keras_s():
    import inspect

    from keras.src.datasets import mnist

    text = inspect.getsource(mnist.load_data)
    folder, _, name = sources.MNIST_URL.rpartition("/")
    assert f"{folder}/" in text
    assert name in text
    published = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    assert published in text
    source = Path(sources.__file__).read_text()
    assert f'MNIST_SHA256 = "{published}"' in source
