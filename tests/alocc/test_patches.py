"""Patches of frames and their scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alocc import datasets


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
