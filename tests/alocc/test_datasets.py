"""What load_images makes of a name or a folder."""

import numpy as np
import pytest
from PIL import Image

from alocc import datasets, mnist


def write_image(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


class TestLoadImages:
    def test_digits_stand_in_for_mnist_with_a_warning(self, monkeypatch):
        def offline(download):
            raise datasets.DatasetUnavailableError("no network.")

        monkeypatch.setattr(mnist, "_mnist_by_keras", offline)
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

    def test_train_and_test_of_two_sizes_are_an_error(self, tmp_path):
        write_image(tmp_path / "train/1.png", np.zeros((4, 5), np.uint8))
        write_image(tmp_path / "test/1.png", np.zeros((4, 6), np.uint8))
        with pytest.raises(ValueError, match=r"4 x 5.*4 x 6"):
            datasets.load_images(tmp_path)

    def test_a_plain_folder_has_no_test_part(self, tmp_path):
        write_image(tmp_path / "1.png", np.zeros((4, 5), np.uint8))
        assert datasets.load_images("any name", tmp_path).test_data is None

    def test_another_name_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="neither 'mnist' nor 'digits' nor a folder"):
            datasets.load_images(tmp_path / "cifar")
