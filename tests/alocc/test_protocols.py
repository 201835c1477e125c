import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import alocc.frames as frames_module
from alocc import datasets, protocols


class Brightness(BaseEstimator):
    """Stands in for ALOCC: inliers are as bright as what it was fitted on."""

    def __init__(self, score="reconstruction", random_state=None):
        self.score = score
        self.random_state = random_state

    def fit(self, X, y=None):
        self.mean_ = X.mean()
        self.n_ = len(X)
        return self

    def score_samples(self, X):
        near = -np.abs(X.reshape(len(X), -1).mean(axis=1) - self.mean_)
        return {"reconstruction": near, "d_x": -near, "d_rx": np.ones(len(X))}[self.score]

    def reconstruct(self, X):
        return datasets.to_unit(X) * 0.5


def flat(X):
    return X.reshape(len(X), -1)


@pytest.fixture
def shades():
    """Three classes of 4 x 4 images, bright, brighter, brightest."""
    y = np.arange(300) % 3
    noise = np.random.default_rng(0).normal(0, 8, (300, 4, 4))
    return np.clip(60 + 60 * y[:, None, None] + noise, 0, 255).astype(np.uint8), y


labelled_scores = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.integers(-5, 5).map(float)), hnp.arrays(bool, n)
    )
)
with_both = labelled_scores.filter(lambda drawn: drawn[1].any() and not drawn[1].all())


class TestThreshold:
    @given(with_both)
    @settings(max_examples=100, deadline=None)
    def test_best_is_best_of_all_and_never_below_everything_inlier(self, drawn):
        scores, is_outlier = drawn
        threshold = protocols.choose_threshold("best", scores, is_outlier)
        f1 = protocols.inlier_f1(scores, is_outlier, threshold)
        every = [protocols.inlier_f1(scores, is_outlier, t) for t in scores]
        assert f1 == pytest.approx(max(every))
        assert f1 >= protocols.everything_inlier_f1(is_outlier.mean()) - 1e-12

    @given(with_both)
    @settings(max_examples=50, deadline=None)
    def test_f1_is_scikit_learns_with_inliers_positive(self, drawn):
        scores, is_outlier = drawn
        expected = f1_score(~is_outlier, scores >= 0, zero_division=0)
        assert protocols.inlier_f1(scores, is_outlier, 0) == pytest.approx(expected)

    def test_share_calls_as_many_outliers_as_there_are(self):
        scores = np.random.default_rng(0).random(20)
        is_outlier = np.arange(20) < 6
        threshold = protocols.choose_threshold("share", scores, is_outlier)
        assert (scores < threshold).sum() == 6

    def test_train_looks_at_training_scores_only(self):
        train = np.arange(101)
        threshold = protocols.choose_threshold("train", [1.0], [True], train, 0.05)
        assert threshold == 5

    def test_train_without_scores_is_an_error(self):
        with pytest.raises(ValueError, match="takes the scores of the training"):
            protocols.choose_threshold("train", [1.0], [True])

    def test_another_rule_is_an_error(self):
        with pytest.raises(ValueError, match="share, best, train"):
            protocols.choose_threshold("median", [1.0], [True])

    def test_everything_inlier_is_as_published(self):
        assert protocols.everything_inlier_f1(0.1) == pytest.approx(0.947, abs=5e-4)
        assert protocols.everything_inlier_f1(0.5) == pytest.approx(0.667, abs=5e-4)


class TestAllScores:
    def test_gives_three_and_keeps_the_parameter(self, shades):
        detector = Brightness(score="d_x").fit(shades[0])
        scores = protocols.all_scores(detector, shades[0])
        assert set(scores) == {"reconstruction", "d_x", "d_rx"}
        np.testing.assert_array_equal(scores["d_x"], -scores["reconstruction"])
        assert detector.score == "d_x"

    def test_of_another_detector_gives_its_own(self, shades):
        forest = IsolationForest(n_estimators=3, random_state=0).fit(flat(shades[0]))
        assert list(protocols.all_scores(forest, flat(shades[0]))) == ["IsolationForest"]


class TestF1ByShare:
    def test_has_a_row_for_each_run_and_rule(self, shades):
        X, y = shades
        runs = []
        table = protocols.f1_auc_by_outlier_share(
            Brightness(),
            X,
            y,
            outlier_shares=(0.1, 0.5),
            seeds=(0, 1),
            threshold=("best", "share", "train"),
            on_run=runs.append,
        )
        assert len(table) == 3 * 2 * 2 * 3 * 3
        assert len(runs) == 6
        keys = ["target", "seed", "outlier_share", "score", "threshold"]
        assert not table.duplicated(keys).any()
        assert set(table.target) == {0, 1, 2}
        best = table[table.score == "reconstruction"]
        assert (best.auc == 1).all()
        assert (best[best.threshold != "train"].f1 == 1).all()
        assert (table[table.score == "d_x"].auc == 0).all()
        constant = table[(table.score == "d_rx") & (table.threshold == "best")]
        np.testing.assert_allclose(constant.f1, constant.f1_everything_inlier)

    def test_the_shares_are_those_asked_for(self, shades):
        X, y = shades
        table = protocols.f1_auc_by_outlier_share(Brightness(), X, y, X_test=X, y_test=y)
        shares = table.n_outliers / (table.n_outliers + table.n_inliers)
        np.testing.assert_allclose(shares, table.outlier_share, atol=0.005)
        expected = protocols.everything_inlier_f1(table.outlier_share)
        np.testing.assert_allclose(table.f1_everything_inlier, expected, atol=0.005)

    def test_trains_on_the_target_alone_by_the_seed(self, shades):
        X, y = shades
        seen = []

        class Spy(Brightness):
            def fit(self, X, y=None):
                seen.append((self.random_state, X))
                return super().fit(X)

        estimator = Spy()
        protocols.f1_auc_by_outlier_share(
            estimator, X, y, X_test=X, y_test=y, targets=[1], seeds=(5, 6)
        )
        assert [seed for seed, _ in seen] == [5, 6]
        np.testing.assert_array_equal(seen[0][1], X[y == 1])
        assert estimator.random_state is None
        assert not hasattr(estimator, "mean_")

    def test_lof_runs_on_images(self, shades):
        X, y = shades
        table = protocols.f1_auc_by_outlier_share(
            protocols.lof_baseline(5), X, y, targets=[0], name="LOF"
        )
        assert set(table.score) == {"LOF"}
        assert table.auc.min() > 0.9

    def test_the_papers_lof_sees_the_tested_images_alone(self, shades):
        from sklearn.neighbors import LocalOutlierFactor

        X, y = shades
        split = datasets.one_class_split(X, y, 0, 0.3, X_test=X, y_test=y, random_state=0)
        detector = protocols.UnsupervisedLOF(5).fit(X[:1])
        scores = detector.score_samples(split.X_test)
        of_all = LocalOutlierFactor(5).fit(flat(datasets.to_unit(split.X_test)))
        np.testing.assert_array_equal(scores, of_all.negative_outlier_factor_)
        np.testing.assert_array_equal(scores, detector.fit(X).score_samples(split.X_test))
        # As many images of each kind are a crowd each: neither stands out.
        table = protocols.f1_auc_by_outlier_share(
            protocols.UnsupervisedLOF(5), X, y, targets=[0], outlier_shares=[0.5]
        )
        assert set(table["threshold"]) == {"share"}
        assert table["f1"].item() < protocols.everything_inlier_f1(0.5)

    def test_seeds_reach_into_pipelines(self, shades):
        X, y = shades
        forest = make_pipeline(FunctionTransformer(flat), IsolationForest(n_estimators=5))
        a, b = (
            protocols.f1_auc_by_outlier_share(forest, X, y, targets=[0], outlier_shares=[0.5])
            for _ in range(2)
        )
        np.testing.assert_array_equal(a.auc, b.auc)
        assert set(a.score) == {"IsolationForest"}

    def test_means_are_over_targets_and_seeds(self, shades):
        X, y = shades
        table = protocols.f1_auc_by_outlier_share(Brightness(), X, y, seeds=(0, 1))
        means = protocols.mean_by_share(table)
        assert len(means) == 3 * 5
        assert (means.n_runs == 6).all()
        one = table[(table.score == "d_x") & (table.outlier_share == 0.3)]
        mean = means[(means.score == "d_x") & (means.outlier_share == 0.3)]
        assert mean.f1.item() == pytest.approx(one.f1.mean())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"targets": [9]}, "target=9 is not among the labels of y: 0, 1, 2"),
            ({"outlier_shares": (0.0,)}, "outlier_shares"),
            ({"threshold": "mean"}, "threshold='mean'"),
        ],
    )
    def test_bad_arguments_are_named(self, shades, arguments, message):
        with pytest.raises(ValueError, match=message):
            protocols.f1_auc_by_outlier_share(Brightness(), *shades, **arguments)


class TestTutorial:
    def test_takes_the_twelfth_image_of_each_class(self, shades):
        X, y = shades
        table = protocols.tutorial_test(Brightness().fit(X), X, y)
        assert table.label.tolist() == [0, 1, 2]
        assert table.row.tolist() == [33, 34, 35]
        assert (table.discriminator == 1).all()

    def test_a_class_with_fewer_images_shows_its_first(self, shades):
        X, y = shades
        table = protocols.tutorial_test(Brightness().fit(X), X[:9], y[:9], labels=[2])
        assert table.row.tolist() == [2]

    def test_a_label_that_is_not_there_is_an_error(self, shades):
        with pytest.raises(ValueError, match="holds 7, which is not among those of y: 0, 1, 2"):
            protocols.tutorial_test(Brightness().fit(shades[0]), *shades, labels=[7])

    def test_the_loss_takes_the_input_as_prediction(self):
        X = np.array([[0.2, 0.7]])
        reconstruction = np.array([[0.9, 0.4]])
        expected = -np.mean(
            [0.9 * np.log(0.2) + 0.1 * np.log(0.8), 0.4 * np.log(0.7) + 0.6 * np.log(0.3)]
        )
        loss = protocols.reconstruction_cross_entropy(X, reconstruction)
        np.testing.assert_allclose(loss, [expected], rtol=1e-6)

    def test_the_loss_is_that_of_keras(self):
        import keras

        rng = np.random.default_rng(0)
        X = (rng.random((3, 5, 5)) > 0.5).astype(np.float32)
        reconstruction = rng.random((3, 5, 5)).astype(np.float32)
        expected = keras.losses.binary_crossentropy(reconstruction.reshape(3, -1), X.reshape(3, -1))
        loss = protocols.reconstruction_cross_entropy(X, reconstruction)
        np.testing.assert_allclose(loss, np.asarray(expected), rtol=1e-5)


class TestFrames:
    @given(with_both)
    @settings(max_examples=100, deadline=None)
    def test_eer_is_a_rate_that_turns_with_the_scores(self, drawn):
        scores, is_anomalous = drawn
        result = protocols.auc_eer(scores, is_anomalous)
        turned = protocols.auc_eer(-scores, is_anomalous)
        assert 0 <= result["eer"] <= 1
        assert result["eer"] + turned["eer"] == pytest.approx(1)
        assert result["auc"] == pytest.approx(roc_auc_score(~is_anomalous, scores))

    def test_perfect_scores_have_no_error(self):
        result = protocols.auc_eer([0.9, 0.8, 0.2, 0.1], [False, False, True, True])
        assert result == {"auc": 1.0, "eer": 0.0, "threshold": 0.2}

    def test_equal_scores_are_a_coin(self):
        assert protocols.auc_eer([1, 1, 1], [False, True, True])["eer"] == 0.5

    def test_a_known_error_rate_is_found(self):
        scores = np.concatenate([np.arange(10), np.arange(-8, 2)])  # two of ten overlap
        result = protocols.auc_eer(scores, np.arange(20) >= 10)
        assert result["eer"] == pytest.approx(0.1, abs=0.1)

    @pytest.mark.parametrize("labels", [[True, True], [False, False]])
    def test_one_kind_of_frames_is_an_error(self, labels):
        with pytest.raises(ValueError, match="both normal and anomalous"):
            protocols.auc_eer([0.1, 0.2], labels)

    def test_an_intruder_is_found_by_its_patches(self):
        video = datasets.make_blobs_video(random_state=0)
        table = protocols.frame_level(
            Brightness(),
            video.train_frames,
            video.test_frames,
            video.is_anomalous,
            size=16,
            stride=8,
            seeds=(0, 1),
        )
        assert len(table) == 6
        assert (table[table.score == "reconstruction"].auc > 0.95).all()
        assert (table[table.score == "reconstruction"].eer < 0.1).all()
        assert (table.n_anomalous == 20).all()

    def test_masks_give_the_pixel_level_of_the_frames_that_have_one(self, monkeypatch):
        video = datasets.make_blobs_video(n_train=8, height=36, width=48, random_state=0)
        frames = video.train_frames, video.test_frames, video.is_anomalous
        options = {"size": 16, "stride": 8}
        has_mask = np.arange(40) % 3 > 0
        whole = protocols.frame_level(
            Brightness(), *frames, masks=video.intruder, has_mask=has_mask, **options
        )
        plain = protocols.frame_level(Brightness(), *frames, **options)
        pd.testing.assert_frame_equal(whole[plain.columns], plain)
        assert (whole.n_masked == (has_mask & video.is_anomalous).sum()).all()
        patches, positions = datasets.extract_patches(video.test_frames, 16, 8)
        train_patches, _ = datasets.extract_patches(video.train_frames, 16, 8)
        values = Brightness().fit(train_patches).score_samples(patches)
        maps = datasets.anomaly_map(values, positions, 16, (36, 48))
        scores = protocols.pixel_scores(maps[has_mask], video.intruder[has_mask])
        expected = protocols.auc_eer(scores, video.is_anomalous[has_mask])
        row = whole[whole.score == "reconstruction"].iloc[0]
        assert {key: row[f"pixel_{key}"] for key in expected} == expected
        assert row.pixel_auc > 0.9
        monkeypatch.setattr(frames_module, "FRAMES_AT_A_TIME", 7)
        parts = protocols.frame_level(
            Brightness(), *frames, masks=video.intruder, has_mask=has_mask, **options
        )
        pd.testing.assert_frame_equal(parts, whole)

    def test_no_more_patches_are_trained_on_than_said(self):
        fitted = []

        class Counting(Brightness):
            def fit(self, X, y=None):
                fitted.append(X)
                return super().fit(X)

        video = datasets.make_blobs_video(n_train=8, n_test=4, random_state=0)
        frames = video.train_frames, video.test_frames, video.is_anomalous
        options = {"size": 16, "stride": 8, "seeds": (0, 0, 1)}
        protocols.frame_level(Counting(), *frames, max_patches=50, **options)
        assert [len(X) for X in fitted] == [50] * 3
        np.testing.assert_array_equal(fitted[0], fitted[1])
        assert (fitted[0] != fitted[2]).any()

    def test_masks_must_fit_the_frames(self):
        frames = np.zeros((2, 30, 30)), np.zeros((2, 30, 30)), [True, False]
        for options in ({"masks": np.zeros((2, 30, 31))}, {"has_mask": [True]}):
            options = {"masks": np.zeros((2, 30, 30)), **options}
            with pytest.raises(ValueError, match="masks has shape"):
                protocols.frame_level(Brightness(), *frames, **options)

    def test_labels_must_fit_the_frames(self):
        with pytest.raises(ValueError, match="each of the 2 test frames"):
            protocols.frame_level(
                Brightness(), np.zeros((2, 30, 30)), np.zeros((2, 30, 30)), [True]
            )


class TestPixelLevel:
    def test_a_frame_is_found_once_two_fifths_of_its_pixels_are(self):
        maps = np.arange(20, dtype=float).reshape(2, 2, 5)
        masks = np.zeros(maps.shape, bool)
        masks[1, 0] = True  # 10 to 14: two of five are found from 11 on
        assert protocols.pixel_scores(maps, masks).tolist() == [0, 11]
        masks[1, 1, 0] = True  # of six it takes three
        assert protocols.pixel_scores(maps, masks).tolist() == [0, 12]
        assert protocols.pixel_scores(maps, masks, 1).tolist() == [0, 15]

    def test_what_else_is_found_in_the_frame_does_not_count(self):
        maps = np.array([[[-9.0, 1.0, 2.0]], [[0.0, 3.0, 3.0]]])
        masks = np.array([[[False, True, True]], [[False] * 3]])
        scores = protocols.pixel_scores(maps, masks)
        assert scores.tolist() == [1, 0]
        assert protocols.auc_eer(scores, masks.any(axis=(1, 2)))["auc"] == 0

    def test_a_share_of_found_frames_is_as_defined(self):
        rng = np.random.default_rng(0)
        maps, masks = rng.random((30, 6, 7)), rng.random((30, 6, 7)) < 0.3
        masks[::3] = False
        scores = protocols.pixel_scores(maps, masks)
        for threshold in (0.1, 0.3, 0.5):
            called = maps <= threshold
            for score, below, mask in zip(scores, called, masks):
                found = below[mask].mean() >= 0.4 if mask.any() else below.any()
                assert (score <= threshold) == found

    @pytest.mark.parametrize(
        ("maps", "masks", "share", "message"),
        [
            (np.zeros((1, 2, 2)), np.zeros((1, 2, 3)), 0.4, "maps has shape"),
            (np.full((1, 2, 2), np.nan), np.zeros((1, 2, 2)), 0.4, "NaN"),
            (np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), 0, "found_share=0"),
        ],
    )
    def test_bad_arguments_are_named(self, maps, masks, share, message):
        with pytest.raises(ValueError, match=message):
            protocols.pixel_scores(maps, masks, share)


def test_alocc_goes_through_the_protocols():
    from alocc.detector import ALOCC

    detector = ALOCC(epochs=1, batch_size=8, gf_dim=2, df_dim=2)
    video = datasets.make_blobs_video(n_train=4, n_test=4, height=24, width=24, random_state=0)
    frames = video.train_frames, video.test_frames, video.is_anomalous
    first, second = (protocols.frame_level(detector, *frames, size=16, stride=8) for _ in "ab")
    assert first.score.tolist() == ["reconstruction", "d_x", "d_rx"]
    np.testing.assert_allclose(first.threshold, second.threshold, rtol=1e-4)
    assert not hasattr(detector, "history_")


@pytest.fixture(scope="module")
def fitted():
    """ALOCC after three epochs, and its images."""
    from alocc.detector import ALOCC

    X = np.random.default_rng(0).random((16, 16, 16))
    return ALOCC(epochs=3, batch_size=8, gf_dim=2, df_dim=2, random_state=0).fit(X), X


class TestAucByEpoch:
    def test_each_row_is_that_of_the_epochs_weights(self, fitted):
        detector, X = fitted
        is_inlier = np.arange(16) % 2 == 0
        table = protocols.auc_by_epoch(detector, X, is_inlier)
        assert table["epoch"].tolist() == [0, 1, 2]
        assert table.set_index("epoch")["chosen"].to_dict() == {
            epoch: epoch == detector.epoch_ for epoch in range(3)
        }
        chosen = table[table["chosen"]].iloc[0]
        for score in protocols.SCORES:
            expected = roc_auc_score(is_inlier, detector.score_samples(X, score))
            assert chosen[score] == pytest.approx(expected)
        few = protocols.auc_by_epoch(detector, X, is_inlier, epochs=[2])
        np.testing.assert_array_equal(
            few[list(protocols.SCORES)], table.tail(1)[list(protocols.SCORES)]
        )

    def test_leaves_the_detector_as_it_was(self, fitted):
        detector, X = fitted
        before = detector.epoch_, dict(detector.offsets_), detector.score_samples(X, "d_rx")
        protocols.auc_by_epoch(detector, X, np.arange(16) < 8, [0, 1])
        with pytest.raises(ValueError, match="epoch=7"):
            protocols.auc_by_epoch(detector, X, np.arange(16) < 8, [0, 7])
        assert (detector.epoch_, detector.offsets_) == before[:2]
        np.testing.assert_array_equal(detector.score_samples(X, "d_rx"), before[2])

    def test_a_loaded_detector_is_an_error(self, fitted, tmp_path):
        detector, X = fitted
        detector.save(tmp_path / "detector")
        with pytest.raises(ValueError, match="weights of its epochs"):
            protocols.auc_by_epoch(type(detector).load(tmp_path / "detector"), X, np.arange(16) < 8)
