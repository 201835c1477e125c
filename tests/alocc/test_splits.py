"""The one-class protocol."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alocc import datasets


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

    @pytest.mark.parametrize("target", [[1, 3], ["3", "1"], (1, "3"), np.array([3, 1])])
    def test_several_labels_are_inliers_together(self, target):
        split = datasets.one_class_split(self.X, self.y, target, X_test=self.X, y_test=self.y)
        np.testing.assert_array_equal(split.X_train.ravel(), np.arange(1, 100, 2))
        np.testing.assert_array_equal(split.is_outlier, split.labels % 2 == 0)
        held_out = datasets.one_class_split(self.X, self.y, target)
        assert (len(held_out.X_train), held_out.is_outlier.sum()) == (40, 50)
        only = {"X_test": self.X[:2], "y_test": self.y[:2]}  # 0 and 1 alone
        assert datasets.one_class_split(self.X, self.y, target, **only).labels.tolist() == [1, 0]

    def test_all_are_every_label_unless_one_has_that_name(self):
        y_test = self.y + 2
        split = datasets.one_class_split(self.X, self.y, "all", X_test=self.X, y_test=y_test)
        assert len(split.X_train) == 100
        np.testing.assert_array_equal(split.is_outlier, split.labels > 3)
        assert not datasets.one_class_split(self.X, self.y, "all").is_outlier.any()
        names = np.array(["all", "some"])[self.y % 2]
        assert (datasets.one_class_split(self.X, names, "all").X_train % 2 == 0).all()
        with pytest.raises(ValueError, match=r"target='all' is not among the labels of y_test: b"):
            datasets.one_class_split(self.X, names, "all", X_test=self.X[:1], y_test=["b"])

    def test_a_label_that_is_not_there_lists_those_that_are(self):
        with pytest.raises(ValueError, match=r"target=7 is not among the labels of y: 0, 1, 2, 3"):
            datasets.one_class_split(self.X, self.y, 7)
        with pytest.raises(ValueError, match=r"target=7 is not among"):
            datasets.one_class_split(self.X, self.y, [1, 7])

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
