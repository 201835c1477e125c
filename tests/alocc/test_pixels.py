"""Pixels in [0, 1], noise and resizing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alocc import datasets


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


@pytest.mark.parametrize(
    "read",
    [datasets.to_unit, lambda X: datasets.resize_images(X, 20, 20), datasets.extract_patches],
)
def test_masked_pixels_are_refused(read):
    images = np.ma.array(np.full((2, 30, 30), 0.5), mask=False)
    np.testing.assert_array_equal(read(images)[0], read(images.data)[0])
    images[1, 2, 3] = np.ma.masked
    with pytest.raises(ValueError, match=r"^(X|images|frames)\[1\]\[2\]\[3\] is masked"):
        read(images)
