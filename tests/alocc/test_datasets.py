import gzip
import struct

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from alocc import datasets


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
    for key, name in datasets._IDX_NAMES.items():
        write_idx(folder / (name + ".gz" * zipped), arrays[key], zipped)


def write_image(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


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
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
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


class TestLoadImages:
    def test_digits_are_28_x_28_and_say_that_they_are_not_mnist(self):
        images = datasets.load_digits_28()
        assert images.data.shape == (1437, 28, 28)
        assert images.test_data.shape == (360, 28, 28)
        assert images.data.dtype == np.uint8
        assert images.data.max() == 255
        assert set(images.target) == set(images.test_target) == set(range(10))
        assert "not MNIST" in images.DESCR

    def test_digits_stand_in_for_mnist_with_a_warning(self, monkeypatch):
        def offline(download):
            raise datasets.DatasetUnavailableError("no network.")

        monkeypatch.setattr(datasets, "_mnist_by_keras", offline)
        with pytest.warns(UserWarning, match=r"NOT MNIST.*no network.*digits"):
            images = datasets.load_images("mnist")
        assert images.name == "digits"

    def test_a_failing_download_is_told_from_a_bad_path(self, monkeypatch, tmp_path):
        import keras

        def fail():
            raise Exception("URL fetch failure")

        monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
        with pytest.raises(datasets.DatasetUnavailableError, match="URL fetch failure"):
            datasets.load_mnist()
        with pytest.raises(FileNotFoundError, match="holds neither mnist"):
            datasets.load_images("mnist", tmp_path)

    def test_a_size_resizes_both_parts(self):
        images = datasets.load_images("digits", size=(16, 20))
        assert images.data.shape[1:] == images.test_data.shape[1:] == (16, 20)
        assert "resized to 16 x 20" in images.DESCR

    def test_a_folder_of_train_and_test_gives_both(self, tmp_path):
        for i, name in enumerate(["train/a/1", "train/b/1", "test/a/1"]):
            write_image(tmp_path / f"{name}.png", np.full((4, 5), i, np.uint8))
        images = datasets.load_images(tmp_path)
        assert images.data.shape == (2, 4, 5, 1)
        assert list(images.target) == ["a", "b"]
        assert list(images.test_target) == ["a"]
        assert images.test_data[0, 0, 0, 0] == 2

    def test_other_folders_beside_train_and_test_are_passed_over(self, tmp_path):
        names = ["train/good/0", "test/good/0", "test/hole/0", "ground_truth/hole/0_mask"]
        for i, name in enumerate(names):  # MVTec AD's layout
            write_image(tmp_path / f"{name}.png", np.full((4, 5), i, np.uint8))
        (tmp_path / "license.txt").write_text("of its own")
        images = datasets.load_images(tmp_path)
        assert images.data[:, 0, 0, 0].tolist() == [0]
        assert images.test_data[:, 0, 0, 0].tolist() == [1, 2]
        assert images.test_target.tolist() == ["good", "hole"]
        assert images.DESCR.endswith("without what is in ground_truth")

    def test_the_test_part_has_the_channels_of_the_other(self, tmp_path):
        write_image(tmp_path / "train/1.png", np.zeros((4, 5), np.uint8))
        write_image(tmp_path / "test/1.png", np.full((4, 5, 3), (255, 0, 0), np.uint8))
        images = datasets.load_images(tmp_path)
        assert images.data.shape == images.test_data.shape == (1, 4, 5, 1)
        assert (images.test_data == 76).all()
        assert datasets.load_images(tmp_path, channels=3).data.shape == (1, 4, 5, 3)

    def test_the_home_folder_is_found_by_its_short_name(self, tmp_path, monkeypatch, mnist_arrays):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        write_image(tmp_path / "photos/1.png", np.zeros((4, 5), np.uint8))
        np.savez(tmp_path / "mnist.npz", **mnist_arrays)
        write_idx(tmp_path / "a", np.arange(4, dtype=np.uint8))
        assert datasets.load_images("~/photos").files == [str(tmp_path / "photos/1.png")]
        assert datasets.load_image_folder("~/photos").data.shape == (1, 4, 5, 1)
        assert datasets.load_frames("~/photos").shape == (1, 4, 5, 1)
        assert datasets.load_mnist("~/mnist.npz").data.shape == (12, 28, 28)
        assert datasets.load_images("mnist", "~").data.shape == (12, 28, 28)
        assert datasets.read_idx("~/a").tolist() == [0, 1, 2, 3]

    def test_train_and_test_of_two_sizes_are_an_error(self, tmp_path):
        write_image(tmp_path / "train/1.png", np.zeros((4, 5), np.uint8))
        write_image(tmp_path / "test/1.png", np.zeros((4, 6), np.uint8))
        with pytest.raises(ValueError, match=r"4 x 5.*4 x 6"):
            datasets.load_images(tmp_path)

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

    def test_a_plain_folder_has_no_test_part(self, tmp_path):
        write_image(tmp_path / "1.png", np.zeros((4, 5), np.uint8))
        assert datasets.load_images("any name", tmp_path).test_data is None

    def test_another_name_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="neither 'mnist' nor 'digits' nor a folder"):
            datasets.load_images(tmp_path / "cifar")


class TestImageFolder:
    def test_subfolders_name_the_classes(self, tmp_path):
        for name, grey in [("cat/2.png", 2), ("cat/10.png", 10), ("dog/1.png", 1)]:
            write_image(tmp_path / name, np.full((3, 4), grey, np.uint8))
        (tmp_path / "cat" / "notes.txt").write_text("not an image")
        (tmp_path / "cat" / ".hidden.png").write_text("nor this")
        (tmp_path / "empty").mkdir()
        images = datasets.load_image_folder(tmp_path)
        assert images.data.shape == (3, 3, 4, 1)
        assert images.data[:, 0, 0, 0].tolist() == [2, 10, 1]
        assert images.target.tolist() == ["cat", "cat", "dog"]
        assert images.files[0].endswith("2.png")

    def test_without_subfolders_there_is_no_target(self, tmp_path):
        write_image(tmp_path / "1.png", np.zeros((3, 4), np.uint8))
        assert datasets.load_image_folder(tmp_path).target is None

    def test_one_colour_image_makes_all_colour(self, tmp_path):
        write_image(tmp_path / "1.png", np.full((3, 4), 7, np.uint8))
        colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
        write_image(tmp_path / "2.png", colour)
        images = datasets.load_image_folder(tmp_path).data
        np.testing.assert_array_equal(images[0], np.full((3, 4, 3), 7))
        np.testing.assert_array_equal(images[1], colour)
        assert datasets.load_image_folder(tmp_path, channels=1).data.shape == (2, 3, 4, 1)

    def test_jpeg_is_read(self, tmp_path):
        write_image(tmp_path / "1.JPG", np.full((8, 8, 3), 100, np.uint8))
        images = datasets.load_image_folder(tmp_path, channels=3).data
        np.testing.assert_allclose(images, 100, atol=2)

    def test_16_bits_become_8(self, tmp_path):
        write_image(tmp_path / "1.png", np.full((3, 4), 0x1234, np.uint16))
        assert (datasets.load_image_folder(tmp_path).data == 0x12).all()

    def test_mixed_sizes_name_both_files(self, tmp_path):
        write_image(tmp_path / "a.png", np.zeros((3, 4), np.uint8))
        write_image(tmp_path / "b.png", np.zeros((5, 4), np.uint8))
        with pytest.raises(ValueError, match=r"a\.png is 3 x 4.*b\.png is 5 x 4"):
            datasets.load_image_folder(tmp_path)
        assert datasets.load_image_folder(tmp_path, size=(6, 6)).data.shape == (2, 6, 6, 1)

    @pytest.mark.parametrize("raw", [b"", b"no image", b"\x89PNG\r\n\x1a\n\x00"])
    def test_an_unreadable_image_is_named(self, tmp_path, raw):
        (tmp_path / "bad.png").write_bytes(raw)
        with pytest.raises(ValueError, match=r"bad\.png is not a readable image"):
            datasets.load_image_folder(tmp_path)

    def test_of_another_file_it_is_said_what_it_looks_like(self, tmp_path):
        scipy.io.savemat(tmp_path / "bad.png", {"X": np.zeros(3)}, appendmat=False)
        message = r"bad\.png is not a readable image; it looks like a MATLAB file.*loadmat reads"
        with pytest.raises(ValueError, match=message):
            datasets.load_image_folder(tmp_path)
        message = r"bad\.png is not an npz file; it looks like a MATLAB file.*loadmat reads"
        with pytest.raises(ValueError, match=message):
            datasets.load_mnist(tmp_path / "bad.png")

    def test_an_image_cut_short_is_named(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
        write_image(tmp_path / "whole.png", noise)
        raw = (tmp_path / "whole.png").read_bytes()
        (tmp_path / "cut.png").write_bytes(raw[: len(raw) // 2])
        with pytest.raises(ValueError, match=r"cut\.png is not a readable image"):
            datasets.load_image_folder(tmp_path)

    def test_empty_and_missing_folders_are_errors(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="holds no image"):
            datasets.load_image_folder(tmp_path)
        with pytest.raises(FileNotFoundError, match="is not a folder"):
            datasets.load_image_folder(tmp_path / "nowhere")

    def test_images_beside_subfolders_are_an_error(self, tmp_path):
        write_image(tmp_path / "a.png", np.zeros((3, 4), np.uint8))
        write_image(tmp_path / "sub" / "b.png", np.zeros((3, 4), np.uint8))
        with pytest.raises(ValueError, match=r"a\.png.*beside the subfolder 'sub'"):
            datasets.load_image_folder(tmp_path)

    @pytest.mark.parametrize("arguments", [{"channels": 2}, {"size": (0, 3)}, {"size": (1, 2, 3)}])
    def test_bad_arguments_are_named(self, tmp_path, arguments):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            datasets.load_image_folder(tmp_path, **arguments)

    def test_frames_come_in_order(self, tmp_path):
        for i in (10, 9, 1):
            write_image(tmp_path / f"frame{i}.png", np.full((3, 4), i, np.uint8))
        frames = datasets.load_frames(tmp_path)
        assert frames[:, 0, 0, 0].tolist() == [1, 9, 10]


class TestPixels:
    @given(
        st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.data()
    )
    @settings(max_examples=50, deadline=None)
    def test_resizing_stays_in_range_and_keeps_what_is_flat(self, h, w, height, width, data):
        image = data.draw(hnp.arrays(np.uint8, (1, h, w)))
        resized = datasets.resize_images(image, height, width)
        assert resized.shape == (1, height, width)
        assert resized.dtype == np.uint8
        assert image.min() <= resized.min() <= resized.max() <= image.max()

    def test_resizing_to_the_same_size_changes_nothing(self):
        images = np.random.default_rng(0).random((2, 5, 6, 3)).astype(np.float32)
        resized = datasets.resize_images(images, 5, 6)
        np.testing.assert_allclose(resized, images, rtol=1e-6)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_channels_that_come_first_are_told(self, channels):
        images = np.zeros((2, channels, 20, 30), np.uint8)
        message = rf"shape \(2, {channels}, 20, 30\), channels first.*np\.moveaxis"
        with pytest.raises(ValueError, match=f"images has {message}"):
            datasets.resize_images(images, 16, 16)
        with pytest.raises(ValueError, match=f"frames has {message}"):
            datasets.extract_patches(images, 1)

    @pytest.mark.parametrize("images", [np.zeros((5, 6)), np.zeros((1, 5, 6), np.uint16)])
    def test_what_is_no_images_is_not_resized(self, images):
        with pytest.raises(ValueError, match=r"images (has|is).*expected"):
            datasets.resize_images(images, 16, 16)

    def test_halving_averages(self):
        image = np.tile(np.array([0, 100], np.uint8), (1, 8, 8))
        inner = datasets.resize_images(image, 8, 8)[0, 2:-2, 2:-2]
        np.testing.assert_array_equal(inner, 50)

    def test_uint8_is_divided_by_255(self):
        unit = datasets.to_unit(np.array([0, 51, 255], np.uint8))
        assert unit.dtype == np.float32
        np.testing.assert_allclose(unit, [0, 0.2, 1])

    @pytest.mark.parametrize("bad", [[0.5, 2.0], [-0.1, 0.5], [np.nan, 0.5]])
    def test_pixels_out_of_range_are_an_error(self, bad):
        with pytest.raises(ValueError, match=r"expected pixels in \[0, 1\]"):
            datasets.to_unit(np.array(bad))

    def test_the_first_pixel_out_of_range_is_shown(self):
        X = np.zeros((2, 3))
        X[1, 2] = np.nan
        with pytest.raises(ValueError, match=r"holds NaN.* is nan, X\[11, 2\]"):
            datasets.to_unit(X, first=10)

    @pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "i4", "u4", "i8", "u8"])
    def test_other_whole_numbers_take_their_white(self, dtype):
        X = np.array([0, 25, 100], dtype)
        with pytest.raises(ValueError, match=rf"X is {X.dtype}.*to_unit\(X, white="):
            datasets.to_unit(X)
        np.testing.assert_allclose(datasets.to_unit(X, white=100), [0, 0.25, 1])

    @pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8"])
    def test_white_is_what_becomes_1_and_x_stays_as_it_is(self, dtype):
        X = np.array([0, 4, 16], dtype)
        unit = datasets.to_unit(X, white=16)
        assert unit.dtype == np.float32
        np.testing.assert_array_equal(unit, [0, 0.25, 1])
        np.testing.assert_array_equal(X, [0, 4, 16])
        with pytest.raises(ValueError, match=r"in \[0, 15\], its white. The first .* 16.*X\[2\]"):
            datasets.to_unit(X, white=15)

    def test_true_is_white(self):
        assert datasets.to_unit(np.array([False, True])).tolist() == [0, 1]

    @pytest.mark.parametrize("X", [np.array(["1"]), np.array([1j]), np.array([None])])
    def test_what_is_no_number_is_an_error(self, X):
        with pytest.raises(ValueError, match=r"X is .*expected uint8, or float"):
            datasets.to_unit(X, white=1)

    @pytest.mark.parametrize("white", [0, -1, np.nan, np.inf])
    def test_a_bad_white_is_named(self, white):
        with pytest.raises(ValueError, match="white="):
            datasets.to_unit(np.zeros(2), white=white)


class TestNoise:
    def test_is_gaussian_of_the_published_width(self):
        X = np.full((50, 28, 28), 0.5)
        noise = datasets.add_noise(X, random_state=0) - 0.5
        assert abs(noise.std() - 0.155) < 0.002
        assert abs(noise.mean()) < 0.002

    def test_is_what_the_seed_says(self):
        X = np.zeros((2, 3, 3), np.uint8)
        expected = np.clip(np.random.RandomState(3).normal(0, 0.155, X.shape), 0, 1)
        np.testing.assert_allclose(datasets.add_noise(X, random_state=3), expected, rtol=1e-6)

    @given(hnp.arrays(np.uint8, (2, 4, 4)), st.floats(0, 10), st.integers(0, 9))
    @settings(max_examples=25, deadline=None)
    def test_stays_in_the_unit_interval(self, X, sigma, seed):
        noisy = datasets.add_noise(X, sigma, seed)
        assert noisy.dtype == np.float32
        assert 0 <= noisy.min() <= noisy.max() <= 1
        np.testing.assert_array_equal(noisy, datasets.add_noise(X, sigma, seed))

    def test_of_no_width_changes_nothing(self):
        X = np.random.default_rng(0).random((2, 3)).astype(np.float32)
        np.testing.assert_array_equal(datasets.add_noise(X, 0.0), X)

    @pytest.mark.parametrize("sigma", [-0.1, float("nan")])
    def test_a_bad_sigma_is_an_error(self, sigma):
        with pytest.raises(ValueError, match="sigma"):
            datasets.add_noise(np.zeros((1, 2, 2)), sigma)


class TestOneClassSplit:
    X = np.arange(100, dtype=np.uint8)[:, None, None]
    y = np.arange(100) % 4

    @given(st.sampled_from([0, 1, 2, 3]), st.floats(0, 0.5), st.integers(0, 5))
    @settings(max_examples=40, deadline=None)
    def test_follows_the_paper(self, target, share, seed):
        split = datasets.one_class_split(
            self.X, self.y, target, share, X_test=self.X, y_test=self.y, random_state=seed
        )
        np.testing.assert_array_equal(split.X_train.ravel() % 4, target)
        assert len(split.X_train) == 25
        np.testing.assert_array_equal(split.is_outlier, split.labels != target)
        np.testing.assert_array_equal(split.X_test.ravel() % 4, split.labels)
        assert (~split.is_outlier).sum() == 25
        assert abs(split.is_outlier.sum() - 25 * share / (1 - share)) <= 0.5
        assert len(np.unique(split.test_index)) == len(split.test_index)

    def test_without_a_share_all_others_are_tested(self):
        split = datasets.one_class_split(self.X, self.y, 1, X_test=self.X, y_test=self.y)
        assert len(split.X_test) == 100

    def test_without_a_test_part_inliers_are_held_out(self):
        split = datasets.one_class_split(self.X, self.y, 1, 0.5, test_share=0.2, random_state=0)
        assert len(split.X_train) == 20
        assert (~split.is_outlier).sum() == split.is_outlier.sum() == 5
        assert not set(split.train_index) & set(split.test_index)

    def test_the_same_seed_gives_the_same_split(self):
        a, b = (datasets.one_class_split(self.X, self.y, 1, 0.3, random_state=4) for _ in "ab")
        np.testing.assert_array_equal(a.test_index, b.test_index)

    def test_a_label_is_found_by_its_text(self):
        assert (datasets.one_class_split(self.X, self.y, "2").X_train.ravel() % 4 == 2).all()

    def test_a_label_that_is_not_there_lists_those_that_are(self):
        with pytest.raises(ValueError, match=r"target=7 is not among the labels of y: 0, 1, 2, 3"):
            datasets.one_class_split(self.X, self.y, 7)

    def test_too_few_outliers_are_an_error(self):
        with pytest.raises(ValueError, match="takes 225 outliers, but there are 75"):
            datasets.one_class_split(self.X, self.y, 1, 0.9, X_test=self.X, y_test=self.y)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"outlier_share": 1.0}, "outlier_share"),
            ({"outlier_share": -0.1}, "outlier_share"),
            ({"test_share": 0.0}, "test_share"),
            ({"test_share": 0.001}, "nothing to test"),
            ({"X_test": X}, "come together"),
            ({"X_test": X, "y_test": y[:3]}, "y_test has shape"),
        ],
    )
    def test_bad_arguments_are_named(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            datasets.one_class_split(self.X, self.y, 1, **arguments)


@st.composite
def gridded_frames(draw):
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    size = draw(st.integers(1, height)), draw(st.integers(1, width))
    stride = draw(st.integers(1, size[0])), draw(st.integers(1, size[1]))
    shape = (draw(st.integers(1, 3)), height, width, *draw(st.sampled_from([(), (1,), (3,)])))
    frames = np.arange(np.prod(shape)).reshape(shape)
    return frames, size, stride


class TestPatches:
    @given(gridded_frames())
    @settings(max_examples=60, deadline=None)
    def test_patches_lie_where_positions_say(self, drawn):
        frames, (height, width), stride = drawn
        patches, positions = datasets.extract_patches(frames, (height, width), stride)
        for patch, (frame, top, left) in zip(patches, positions):
            cut = frames[frame, top : top + height, left : left + width]
            np.testing.assert_array_equal(patch, cut)

    @given(gridded_frames(), st.floats(-5, 5))
    @settings(max_examples=60, deadline=None)
    def test_a_constant_score_comes_back_constant(self, drawn, value):
        frames, size, stride = drawn
        _, positions = datasets.extract_patches(frames, size, stride)
        scores = np.full(len(positions), value)
        heat = datasets.anomaly_map(scores, positions, size, frames.shape[1:3])
        assert heat.shape == frames.shape[:3]
        np.testing.assert_allclose(heat, value, rtol=1e-12, atol=1e-12)
        back = datasets.frame_scores(scores, positions)
        np.testing.assert_array_equal(back, np.full(len(frames), value))

    @given(gridded_frames(), st.integers(0, 5))
    @settings(max_examples=40, deadline=None)
    def test_a_map_lies_within_its_scores_and_a_frame_at_their_least(self, drawn, seed):
        frames, size, stride = drawn
        _, positions = datasets.extract_patches(frames, size, stride)
        scores = np.random.default_rng(seed).random(len(positions))
        heat = datasets.anomaly_map(scores, positions, size, frames.shape[1:3])
        frame = datasets.frame_scores(scores, positions)
        for i in range(len(frames)):
            own = scores[positions[:, 0] == i]
            assert frame[i] == own.min()
            assert own.min() - 1e-12 <= heat[i].min() <= heat[i].max() <= own.max() + 1e-12

    def test_a_stride_beyond_the_size_leaves_gaps(self):
        _, positions = datasets.extract_patches(np.zeros((1, 7, 7)), 1, 3)
        heat = datasets.anomaly_map(np.ones(9), positions, 1, (7, 7))
        assert np.isfinite(heat).sum() == 9

    def test_a_frame_without_patches_has_no_score(self):
        scores = datasets.frame_scores([1.0], np.array([[0, 0, 0]]), n_frames=2)
        np.testing.assert_array_equal(scores, [1, np.nan])

    @pytest.mark.parametrize(
        ("frames", "size", "stride", "message"),
        [
            (np.zeros((4, 4)), 2, 1, r"frames has shape \(4, 4\)"),
            (np.zeros((1, 4, 4)), 5, 1, "larger than the frames"),
            (np.zeros((1, 4, 4)), 0, 1, "size"),
            (np.zeros((1, 4, 4)), 2, 0, "stride"),
        ],
    )
    def test_bad_arguments_are_named(self, frames, size, stride, message):
        with pytest.raises(ValueError, match=message):
            datasets.extract_patches(frames, size, stride)

    def test_scores_and_positions_must_fit(self):
        positions = np.array([[0, 0, 0], [1, 2, 2]])
        with pytest.raises(ValueError, match="patch_scores has shape"):
            datasets.frame_scores(np.zeros(3), positions)
        with pytest.raises(ValueError, match="name frame 1"):
            datasets.frame_scores(np.zeros(2), positions, n_frames=1)
        with pytest.raises(ValueError, match="reach beyond"):
            datasets.anomaly_map(np.zeros(2), positions, 2, (3, 3))


class TestBlobsVideo:
    def test_the_intruder_is_where_the_labels_say(self):
        video = datasets.make_blobs_video(random_state=0)
        assert video.train_frames.shape == video.test_frames.shape == (40, 48, 64)
        np.testing.assert_array_equal(video.intruder.any(axis=(1, 2)), video.is_anomalous)
        assert video.is_anomalous.tolist() == [False] * 20 + [True] * 20
        assert (video.test_frames[video.intruder] == 255).all()
        assert video.train_frames.max() <= 180

    def test_the_seed_decides(self):
        a, b, c = (datasets.make_blobs_video(random_state=s).train_frames for s in (1, 1, 2))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    def test_small_frames_are_an_error(self):
        with pytest.raises(ValueError, match="height=8"):
            datasets.make_blobs_video(height=8)
