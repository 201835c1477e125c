"""MNIST, IDX files and the digits."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alocc import datasets, mnist


@pytest.fixture
def mnist_arrays():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        "y_train": np.arange(12, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "y_test": np.arange(5, dtype=np.uint8),
    }


def write_idx(path, array, zipped=False):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    raw = header + array.tobytes()
    path.write_bytes(gzip.compress(raw) if zipped else raw)


def write_idx_folder(folder, arrays, zipped=False):
    for key, name in mnist._IDX_NAMES.items():
        write_idx(folder / (name + ".gz" * zipped), arrays[key], zipped)


class TestMNIST:
    def check(self, images, arrays):
        np.testing.assert_array_equal(images.data, arrays["x_train"])
        np.testing.assert_array_equal(images.target, arrays["y_train"])
        np.testing.assert_array_equal(images.test_data, arrays["x_test"])
        np.testing.assert_array_equal(images.test_target, arrays["y_test"])

    @pytest.mark.parametrize("by_folder", [False, True])
    def test_comes_from_an_npz_or_its_folder(self, tmp_path, mnist_arrays, by_folder):
        np.savez(tmp_path / "mnist.npz", **mnist_arrays)
        images = datasets.load_mnist(tmp_path if by_folder else tmp_path / "mnist.npz")
        self.check(images, mnist_arrays)
        assert str(tmp_path) in images.DESCR

    @pytest.mark.parametrize("zipped", [False, True])
    def test_comes_from_idx_files_gzipped_or_not(self, tmp_path, mnist_arrays, zipped):
        write_idx_folder(tmp_path, mnist_arrays, zipped)
        self.check(datasets.load_mnist(tmp_path), mnist_arrays)

    def test_an_idx_file_that_is_missing_is_named(self, tmp_path, mnist_arrays):
        write_idx_folder(tmp_path, mnist_arrays)
        (tmp_path / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
            datasets.load_mnist(tmp_path)

    def test_a_path_that_is_not_there_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            datasets.load_mnist(tmp_path / "nowhere")

    def test_an_npz_without_the_arrays_says_what_it_holds(self, tmp_path):
        np.savez(tmp_path / "a.npz", x_train=np.zeros(1), other=np.zeros(1))
        with pytest.raises(ValueError, match=r"lacks .*y_train.*holds .*other"):
            datasets.load_mnist(tmp_path / "a.npz")

    def test_a_file_that_is_no_npz_is_an_error(self, tmp_path):
        np.save(tmp_path / "a.npy", np.zeros(3))
        with pytest.raises(ValueError, match="not an npz"):
            datasets.load_mnist(tmp_path / "a.npy")

    def test_a_broken_npz_is_an_error(self, tmp_path, mnist_arrays):
        np.savez_compressed(tmp_path / "a.npz", **mnist_arrays)
        raw = bytearray((tmp_path / "a.npz").read_bytes())
        raw[100:400] = bytes(300)
        (tmp_path / "a.npz").write_bytes(raw)
        with pytest.raises(ValueError, match="not a readable npz"):
            datasets.load_mnist(tmp_path / "a.npz")

    def test_pickles_are_not_opened(self, tmp_path, mnist_arrays):
        mnist_arrays["y_test"] = mnist_arrays["y_test"].astype(object)
        np.savez(tmp_path / "a.npz", **mnist_arrays)
        with pytest.raises(ValueError, match="allow_pickle"):
            datasets.load_mnist(tmp_path / "a.npz")

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("x_train", np.zeros((12, 784), np.uint8), r"x_train are uint8 of shape \(12, 784\)"),
            ("x_test", np.zeros((5, 28, 28)), "x_test are float64"),
            ("y_test", np.arange(4, dtype=np.uint8), r"y_test is uint8 of shape \(4,\)"),
        ],
    )
    def test_arrays_of_another_kind_are_errors(self, tmp_path, mnist_arrays, name, value, message):
        np.savez(tmp_path / "a.npz", **{**mnist_arrays, name: value})
        with pytest.raises(ValueError, match=message):
            datasets.load_mnist(tmp_path / "a.npz")

    def test_without_path_keras_is_asked(self, monkeypatch, mnist_arrays):
        import keras

        pairs = [(mnist_arrays[f"x_{p}"], mnist_arrays[f"y_{p}"]) for p in ("train", "test")]
        monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: pairs)
        images = datasets.load_mnist()
        self.check(images, mnist_arrays)
        assert "keras.datasets.mnist" in images.DESCR

    def test_without_download_only_the_cache_is_looked_at(
        self, monkeypatch, tmp_path, mnist_arrays
    ):
        monkeypatch.setenv("HOME", str(tmp_path.parent))
        monkeypatch.setenv("KERAS_HOME", f"~/{tmp_path.name}")
        with pytest.raises(datasets.DatasetUnavailableError, match="download=False"):
            datasets.load_mnist(download=False)
        (tmp_path / "datasets").mkdir()
        np.savez(tmp_path / "datasets" / "mnist.npz", **mnist_arrays)
        self.check(datasets.load_mnist(download=False), mnist_arrays)


class TestIDX:
    def test_a_wrong_header_is_shown(self, tmp_path):
        (tmp_path / "a").write_bytes(b"\x00\x00\x0d\x01" + bytes(8))
        with pytest.raises(ValueError, match="00 00 0d 01"):
            datasets.read_idx(tmp_path / "a")

    @pytest.mark.parametrize("raw", [b"", b"\x00\x00\x08", b"\x00\x00\x08\x03\x00\x00"])
    def test_a_header_cut_short_is_an_error(self, tmp_path, raw):
        (tmp_path / "a").write_bytes(raw)
        with pytest.raises(ValueError, match="not an IDX file"):
            datasets.read_idx(tmp_path / "a")

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_file_of_another_length_than_its_header_says_is_an_error(self, tmp_path, change):
        raw = bytes([0, 0, 8, 1]) + struct.pack(">I", 10) + bytes(10 + change)
        (tmp_path / "a").write_bytes(raw)
        with pytest.raises(ValueError, match=r"holds (9|11) bytes.*\(10,\)"):
            datasets.read_idx(tmp_path / "a")

    def test_a_gzip_file_cut_short_is_an_error(self, tmp_path):
        write_idx(tmp_path / "a.gz", np.arange(100, dtype=np.uint8), zipped=True)
        (tmp_path / "b.gz").write_bytes((tmp_path / "a.gz").read_bytes()[:-20])
        with pytest.raises(ValueError, match="not a whole gzip file"):
            datasets.read_idx(tmp_path / "b.gz")

    @given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=5)), st.booleans())
    @settings(max_examples=25, deadline=None)
    def test_what_was_written_is_read(self, tmp_path_factory, array, zipped):
        path = tmp_path_factory.mktemp("idx") / "a"
        write_idx(path, array, zipped)
        np.testing.assert_array_equal(datasets.read_idx(path), array)


class TestFolderOfIDX:
    @pytest.mark.parametrize("zipped", [False, True])
    def test_a_folder_of_idx_files_is_read_as_mnists(self, tmp_path, mnist_arrays, zipped):
        folder = tmp_path / "dataset-fashion-mnist"
        folder.mkdir()
        write_idx_folder(folder, mnist_arrays, zipped)
        images, mnist = datasets.load_images(folder), datasets.load_mnist(folder)
        for part in ("data", "target", "test_data", "test_target"):
            np.testing.assert_array_equal(images[part], mnist[part])
        assert (images.name, images.files, images.test_files) == (str(folder), None, None)
        assert images.DESCR.startswith("12 training and 5 test images, from ")
        resized = datasets.load_images(folder, size=(16, 20))
        assert resized.test_data.shape == (5, 16, 20)
        assert resized.DESCR.endswith(f"{folder} (IDX files), resized to 16 x 20")
        with pytest.raises(ValueError, match="is grey, but three channels"):
            datasets.load_images(folder, channels=3)
        (folder / ("train-labels-idx1-ubyte" + ".gz" * zipped)).unlink()
        with pytest.raises(FileNotFoundError, match="train-labels-idx1-ubyte"):
            datasets.load_images(folder)

    def test_white_is_for_idx_files_too(self, tmp_path, mnist_arrays):
        ones = {k: v // 128 if k[0] == "x" else v for k, v in mnist_arrays.items()}
        write_idx_folder(tmp_path, ones)
        images = datasets.load_images(tmp_path, white=1)
        np.testing.assert_array_equal(images.data, ones["x_train"] * 255)
        np.testing.assert_array_equal(images.test_data, ones["x_test"] * 255)


class TestDigits:
    def test_digits_are_28_x_28_and_say_that_they_are_not_mnist(self):
        images = datasets.load_digits_28()
        assert images.data.shape == (1437, 28, 28)
        assert images.test_data.shape == (360, 28, 28)
        assert images.data.dtype == np.uint8
        assert images.data.max() == 255
        assert set(images.target) == set(images.test_target) == set(range(10))
        assert "not MNIST" in images.DESCR
