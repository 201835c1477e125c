"""Folders of images."""

import numpy as np
import pytest
import scipy.io
from PIL import Image

from alocc import datasets


def write_image(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


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
