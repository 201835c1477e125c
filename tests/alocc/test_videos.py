"""Videos, in UCSD's layout and made."""

import numpy as np
import pytest
from PIL import Image

from alocc import datasets

N = 11  # frames a video, more than one digit counts
HEIGHT, WIDTH = 240, 360  # of UCSD Ped2


def frame(video, number):
    grey = np.full((HEIGHT, WIDTH), 100 + 10 * video, np.uint8)
    grey[:, number] = 200
    return grey


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def mask(number):
    """Anomalous is a part of the frames from the fourth to the seventh."""
    marked = np.zeros((HEIGHT, WIDTH), np.uint8)
    marked[20:50, 30 : 30 + 10 * number] = 255 * (4 <= number <= 7)
    return marked


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two videos to train on, and two to test on, the first with masks, in UCSD's layout."""
    folder = tmp_path_factory.mktemp("ucsd") / "UCSDped2"
    for part in ("Train", "Test"):
        for video in (1, 2):
            for number in range(1, N + 1):
                name = f"{part}/{part}{video:03d}/{number}.tif"
                write(folder / name, frame(video + 2 * (part == "Test"), number))
                if (part, video) == ("Test", 1):
                    write(folder / f"Test/Test001_gt/{number}.bmp", mask(number))
    (folder / "Test" / "UCSDped2.m").write_text(
        "% frames that are anomalous\nTestVideoFile = {};\n"
        "TestVideoFile{end+1}.gt_frame = [1:2]; % not looked at where there are masks\n"
        "TestVideoFile{end+1}.gt_frame = [2:3, 5:2:9 ...\n 11];\n"
    )
    (folder / "Test" / ".DS_Store").touch()
    return folder


class TestUCSD:
    def test_frames_come_video_by_video_in_natural_order(self, made):
        video = datasets.load_video(made)
        assert video.train_frames.shape == video.test_frames.shape == (2 * N, HEIGHT, WIDTH, 1)
        assert video.train_frames.dtype == np.uint8
        for part, first in (("train", 1), ("test", 3)):
            expected = [frame(v, i) for v in (first, first + 1) for i in range(1, N + 1)]
            np.testing.assert_array_equal(video[f"{part}_frames"][..., 0], expected)
        assert video.train_videos.tolist() == ["Train001"] * N + ["Train002"] * N
        assert video.test_videos.tolist() == ["Test001"] * N + ["Test002"] * N
        assert video.test_files[N - 1].endswith("Test001/11.tif")

    def test_masks_are_the_truth_and_the_list_where_there_are_none(self, made):
        video = datasets.load_video(made)
        assert np.flatnonzero(video.is_anomalous[:N]).tolist() == [3, 4, 5, 6]
        assert np.flatnonzero(video.is_anomalous[N:]).tolist() == [1, 2, 4, 6, 8, 10]
        assert video.has_mask.tolist() == [True] * N + [False] * N
        expected = [mask(i) > 0 for i in range(1, N + 1)]
        np.testing.assert_array_equal(video.masks[:N], expected)
        assert not video.masks[N:].any()

    def test_a_size_is_that_of_the_masks_too(self, made):
        video = datasets.load_video(made, size=(120, 180))
        assert video.test_frames.shape == (2 * N, 120, 180, 1)
        np.testing.assert_array_equal(video.masks[5], (mask(6) > 0)[::2, ::2])

    def test_load_images_has_frames_and_truth_and_no_mask_among_the_images(self, made):
        images, video = datasets.load_images(made), datasets.load_video(made)
        np.testing.assert_array_equal(images.data, video.train_frames)
        np.testing.assert_array_equal(images.test_data, video.test_frames)
        np.testing.assert_array_equal(images.is_anomalous, video.is_anomalous)
        test = datasets.load_image_folder(made / "Test")
        np.testing.assert_array_equal(test.data, video.test_frames)
        assert set(test.target) == {"Test001", "Test002"}
        np.testing.assert_array_equal(datasets.load_frames(made / "Test"), video.test_frames)

    @pytest.mark.parametrize("white", [1, 255, (9, 0, 0), True])
    def test_masks_are_of_any_mode(self, tmp_path, white):
        marked = np.zeros((16, 16), bool)
        marked[3:7, 5:9] = True
        for part in ("train/a", "test/b"):
            write(tmp_path / part / "1.png", np.full((16, 16), 200, np.uint8))
        values = np.zeros((16, 16, *np.shape(white)), bool if white is True else np.uint8)
        values[marked] = white
        write(tmp_path / "test" / "b_gt" / "1.png", values)
        video = datasets.load_video(tmp_path)
        np.testing.assert_array_equal(video.masks[0], marked)

    def test_without_masks_and_list_nothing_is_known(self, tmp_path):
        for part in ("train/a", "test/b"):
            write(tmp_path / part / "1.png", np.full((16, 16), 200, np.uint8))
        video = datasets.load_video(tmp_path)
        assert video.is_anomalous is None
        assert not video.has_mask.any()
        assert datasets.load_images(tmp_path).is_anomalous is None
        with pytest.raises(FileNotFoundError, match="no subfolders Train and Test"):
            datasets.load_video(tmp_path / "train")


class TestList:
    def load(self, folder, text, n=4):
        for part in ("Train/Train001", "Test/Test001", "Test/Test002"):
            for i in range(n):
                write(folder / part / f"{i}.tif", np.full((16, 16), 200, np.uint8))
        (folder / "Test" / "UCSDped1.m").write_text(text)
        return datasets.load_video(folder).is_anomalous.reshape(2, n).astype(int).tolist()

    @pytest.mark.parametrize(
        "text",
        [
            "T{end+1}.gt_frame = [2:3];\nT{end+1}.gt_frame = [];",
            "T{ end + 1 }.gt_frame=[ 2 3 ]\nT{end+1}.gt_frame = [ ];",
            "T{2}.gt_frame = [];\nT{1}.gt_frame = [2 : 3];",
            "T{end+1}.gt_frame = 2:3;\nT{end+1}.gt_frame = []; % [1]",
            "T{end+1}.gt_frame = [2,\n3;];\nT{end+1}.gt_frame = [];",
        ],
    )
    def test_it_is_read_however_it_is_written(self, tmp_path, text):
        assert self.load(tmp_path, text) == [[0, 1, 1, 0], [0, 0, 0, 0]]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("T{1}.gt_frame = [1:2];", r"Test002 has neither masks.*Test002_gt.*UCSDped1\.m"),
            ("T{1}.gt_frame = [1:5];\nT{2}.gt_frame = [];", "frames 1 to 5 of video 1.*has 4"),
            ("T{1}.gt_frame = [0:2];\nT{2}.gt_frame = [];", "names no frames of video 1"),
            ("T{1}.gt_frame = [1:1:1:2];", "names no frames of video 1"),
            ("T{1}.gt_frame = [a];", "other lines of gt_frame than"),
        ],
    )
    def test_what_it_does_not_say_is_told(self, tmp_path, text, message):
        with pytest.raises(ValueError, match=message):
            self.load(tmp_path, text)

    def test_masks_of_another_number_or_size_are_told(self, tmp_path):
        text = "T{1}.gt_frame = [1];\nT{2}.gt_frame = [];"
        self.load(tmp_path, text)
        write(tmp_path / "Test" / "Test001_gt" / "0.bmp", np.zeros((16, 16), np.uint8))
        with pytest.raises(ValueError, match=r"Test001_gt holds 1 masks.* 4 frames"):
            self.load(tmp_path, text)
        for i in range(4):
            write(tmp_path / "Test" / "Test001_gt" / f"{i}.bmp", np.zeros((16, 18), np.uint8))
        with pytest.raises(ValueError, match=r"masks of .*Test001 are 16 x 18 .* 16 x 16"):
            self.load(tmp_path, text)


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
