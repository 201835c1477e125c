"""Videos."""

import numpy as np
import pytest

from alocc import datasets


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
