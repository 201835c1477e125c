import functools
import inspect
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from alocc import cli, commands, options
from alocc.options import MODEL_FILE

# The commands print warnings as lines, but for Keras's own.
pytestmark = pytest.mark.filterwarnings("default", "ignore:__array__ implementation")
TINY = ["--epoch", "1", "--batch_size", "16", "--train_size", "32", "--gf_dim", "2"]
TINY += ["--df_dim", "2", "--seed", "3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Output folder of a small training run, and what it said."""
    output = tmp_path_factory.mktemp("cli") / "run"
    status, out, err = run("train", "--dataset", "digits", *TINY, "--output", output)
    assert status == 0, err
    return output, out, err


def run(*arguments):
    """Exit status, stdout and stderr of a command."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
    return status, out.getvalue(), err.getvalue()


def write_image(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_classes(folder, names, n=3, shape=(28, 28)):
    rng = np.random.default_rng(0)
    for name in names:
        for i in range(n):
            image = rng.integers(0, 256, shape, dtype=np.uint8)
            write_image(folder / name / f"{i}.png", image)
    return folder


def assert_fails(arguments, *messages):
    status, out, err = run(*arguments)
    assert status == 2
    assert out == "" or "error" not in out
    *warned, told = err.splitlines()
    assert told.startswith("alocc: error: ")
    assert all(line.startswith("alocc: warning: ") for line in warned)
    for message in messages:
        assert message in err


class TestHelp:
    @pytest.mark.parametrize("command", ["train", "test", "score"])
    def test_every_option_is_explained(self, command):
        status, out, _ = run(command, "--help")
        assert status == 0
        assert "None" not in out

    def test_defaults_are_those_of_the_detector(self):
        from alocc.detector import ALOCC

        args = vars(cli.build_parser().parse_args(["train", "--output", "x"]))
        args["batch_size"] = options.BATCH_SIZE  # of what is not digits
        args["epochs"] = args.pop("epoch")
        for name, parameter in inspect.signature(ALOCC).parameters.items():
            if name in args:
                assert args[name] == parameter.default, name

    def test_defaults_of_the_ensemble_are_its_own_and_what_it_fixes_is_no_option(self, capsys):
        from alocc import ALOCCEnsemble

        needed = ["train", "--output", "x"]
        args = vars(cli.build_parser("alocc-ensemble").parse_args([*needed, "--batch_size", "128"]))
        args["epochs"] = args.pop("epoch")
        params = ALOCCEnsemble().get_params()
        assert params.keys() - args.keys() == {"random_state", "steps_per_execution", "verbose"}
        assert {name: args[name] for name in params.keys() & args.keys()}.items() <= params.items()
        for fixed in ("fidelity", "orientation", "select_epoch", "statistics", "decoder"):
            with pytest.raises(SystemExit):
                cli.ensemble([*needed, f"--{fixed}", "auto"])
            assert f"--{fixed}" in capsys.readouterr().err

    def test_a_command_is_needed(self):
        assert run()[0] == 2


@pytest.mark.slow
def test_the_ensemble_trains_and_either_command_scores_by_its_model(tmp_path, capsys):
    from alocc import ALOCCEnsemble

    images = str(write_classes(tmp_path / "photos", ["a"], n=32))
    model = str(tmp_path / "run")
    options = [*TINY, "--first_epoch", "0", "--quiet", "--output", model]
    assert cli.ensemble(["train", "--dataset", images, *options]) == 0
    scores = []
    for command in (cli.main, cli.ensemble):
        scores.append(tmp_path / f"{len(scores)}.csv")
        assert command(["score", images, "--model", model, "--output", str(scores[-1])]) == 0
    assert "outliers by D(R(x))" in capsys.readouterr().out
    assert scores[0].read_bytes() == scores[1].read_bytes()
    detector = ALOCCEnsemble.load(tmp_path / "run" / MODEL_FILE)
    assert (detector.epochs, detector.random_state) == (1, 3)


class TestTrain:
    def test_trains_longer_on_digits_unless_told_otherwise(self, monkeypatch, tmp_path):
        # A class of digits has 146 images: the published length would make five updates.
        from alocc.detector import ALOCC

        asked = []

        def fit(detector, X, **_):
            asked.append((detector.epochs, detector.batch_size, len(X)))
            raise KeyboardInterrupt

        monkeypatch.setattr(ALOCC, "fit", fit)
        digits = ["train", "--dataset", "digits", "--output", tmp_path / "run"]
        folder = ["train", "--dataset", write_classes(tmp_path / "photos", ["a"])]
        folder += ["--output", tmp_path / "run"]
        for command in (digits, [*digits, "--epoch", 2], [*digits, "--batch_size", 64], folder):
            assert run(*command)[0] == 130
        assert asked == [(40, 32, 146), (2, 32, 146), (40, 64, 146), ("auto", 128, 3)]

    @pytest.mark.slow
    def test_detects_on_digits_as_it_comes(self, tmp_path):
        # A seed's AUC is another on another processor: rounding decides which way it goes.
        command = ["train", "--dataset", "digits", "--quiet", "--output", tmp_path / "run"]
        status, _, err = run(*command)
        assert (status, err) == (0, "")
        settings = json.loads((tmp_path / "run" / "settings.json").read_text())
        assert settings["arguments"]["epoch"] == 40
        assert settings["auc"]["reconstruction"] > 0.8

    def test_few_updates_are_told_before_the_training(self, trained):
        _, _, err = trained
        assert err.startswith("alocc: warning: The training will make 2 updates")

    def test_writes_everything_it_says(self, trained):
        output, out, _ = trained
        assert {file.name for file in output.iterdir()} == {
            "history.csv",
            "scores.csv",
            "settings.json",
            options.MODEL_FILE,
            "reconstruction_loss.png",
            "training_images.png",
            "reconstructions.png",
            "discriminator_scores.png",
        }
        assert [file.name for file in output.parent.iterdir()] == ["run"]
        assert "not MNIST" in out

    def test_last_line_holds_the_aucs(self, trained):
        output, out, _ = trained
        line = out.strip().splitlines()[-1]
        settings = json.loads((output / "settings.json").read_text())
        assert line.startswith("AUC on 360 test images, 324 of them outliers: reconstruction ")
        for name, auc in settings["auc"].items():
            assert f"{options.SCORE_LABELS[name]} {auc:.4f}" in line

    def test_progress_shows_the_losses(self, trained):
        assert "d_loss_real" in trained[1]

    def test_tables_have_a_row_an_update_and_a_row_an_image(self, trained):
        history = pd.read_csv(trained[0] / "history.csv")
        assert len(history) == 2
        assert {"update", "d_loss_real", "g_loss_reconstruction", "epoch"} <= set(history)
        scores = pd.read_csv(trained[0] / "scores.csv")
        assert len(scores) == 360
        assert {"row", "label", "reconstruction", "d_x", "d_rx", "prediction"} <= set(scores)
        np.testing.assert_array_equal(scores.is_outlier, scores.label != 1)

    def test_settings_repeat_the_command(self, trained):
        settings = json.loads((trained[0] / "settings.json").read_text())
        assert settings["arguments"]["r_alpha"] == 0.2
        assert settings["arguments"]["seed"] == 3
        assert settings["target"] == "1"
        assert settings["n_train"] == 32
        assert "not MNIST" in settings["data"]

    def test_the_same_seed_gives_the_same_scores_quietly(self, trained, tmp_path):
        arguments = ["train", "--dataset", "digits", *TINY, "--quiet"]
        status, out, _ = run(*arguments, "--output", tmp_path / "again")
        assert status == 0
        assert out.count("\n") == 1
        again = pd.read_csv(tmp_path / "again" / "scores.csv")
        pd.testing.assert_frame_equal(
            again, pd.read_csv(trained[0] / "scores.csv"), rtol=1e-4, atol=1e-6
        )

    def test_a_folder_without_labels_is_trained_on_whole(self, tmp_path):
        write_classes(tmp_path, ["images"], 17)
        output = tmp_path / "run"
        output.mkdir()
        (output / "notes.txt").write_text("mine")
        (output / "history.csv").write_text("old")
        status, out, err = run(
            "train", "--dataset", tmp_path / "images", *TINY, "--output", output,
            "--checkpoint_dir", tmp_path / "checkpoints", "--contamination", "0.1",
        )  # fmt: skip
        assert status == 0, err
        assert out.strip().splitlines()[-1].startswith("trained; ")
        scores = pd.read_csv(output / "scores.csv")
        assert len(scores) == 17
        assert scores.file[2].endswith("2.png")
        assert "is_outlier" not in scores
        assert len(list((tmp_path / "checkpoints").glob("epoch_00_*.h5"))) == 2
        # of the folder that was there, files of the same name are replaced and others kept
        assert (output / "notes.txt").read_text() == "mine"
        assert len(pd.read_csv(output / "history.csv")) == 1

    def split(self, folder, *given):
        args = cli.build_parser().parse_args(
            ["train", "--dataset", str(folder), "--output", "x", *given]
        )
        return commands.choose(commands.load(args, None, None), args)

    @pytest.mark.parametrize("train", ["train", "train/good"])
    def test_folders_train_and_test_are_the_parts(self, tmp_path, train):
        write_classes(tmp_path, [train], 4)
        write_classes(tmp_path, ["test/good", "test/bad"], 2)
        split = self.split(tmp_path, "--attention_label", "good")
        assert len(split.X_train) == 4
        assert split.labels.tolist() == ["good", "good", "bad", "bad"]
        assert split.is_outlier.tolist() == [False, False, True, True]
        assert all(label in file for label, file in zip(split.labels, split.file))

    def test_classes_without_a_test_part_are_held_out(self, tmp_path):
        write_classes(tmp_path, ["cat", "dog"], 10)
        split = self.split(tmp_path, "--attention_label", "dog", "--outlier_share", "0.5")
        assert len(split.X_train) == 8
        assert split.labels.tolist() == ["dog", "dog", "cat", "cat"]

    @pytest.mark.parametrize("labels", [["cat", "dog"], ["all"]])
    def test_several_or_all_classes_are_attended_to(self, tmp_path, labels):
        write_classes(tmp_path, ["train/cat", "train/dog", "test/cat", "test/dog", "test/cow"], 2)
        split = self.split(tmp_path, "--attention_label", *labels)
        assert len(split.X_train) == 4
        assert split.labels.tolist() == ["cat", "cat", "dog", "dog", "cow", "cow"]
        assert split.is_outlier.tolist() == [False] * 4 + [True] * 2
        assert split.target == (labels if len(labels) > 1 else "all")

    def test_videos_are_all_normal_and_masks_tell_their_frames(self, tmp_path):
        rng = np.random.default_rng(0)
        for video in ("Train/Train001", "Train/Train002", "Test/Test001"):
            for i in range(1, 13):
                frame = rng.integers(0, 256, (28, 28), dtype=np.uint8)
                write_image(tmp_path / video / f"{i:03d}.tif", frame)
                mask = np.full((28, 28), 255 * (i > 9), np.uint8)
                if video == "Test/Test001":
                    write_image(tmp_path / "Test" / "Test001_gt" / f"{i:03d}.bmp", mask)
        split = self.split(tmp_path)
        assert len(split.X_train) == 24
        assert split.is_outlier.tolist() == [False] * 9 + [True] * 3
        assert [file[-7:] for file in split.file] == [f"{i:03d}.tif" for i in range(1, 13)]
        assert len(self.split(tmp_path, "--attention_label", "Train002").X_train) == 12
        output = ["--output", tmp_path / "run"]
        status, out, err = run("train", "--dataset", tmp_path, *TINY, "--train_size", 24, *output)
        assert status == 0, err
        assert "AUC on 12 test images, 3 of them outliers" in out
        scores = pd.read_csv(tmp_path / "run" / "scores.csv")
        assert scores.label.tolist() == ["normal"] * 9 + ["anomalous"] * 3
        model = ["--model", tmp_path / "run"]
        status, out, err = run("test", "--dataset", tmp_path, *model, "--quiet")
        assert status == 0, err
        assert "anomalous" in out
        status, out, err = run("score", tmp_path / "Test", *model)
        assert (status, out.count("\n")) == (0, 13)

    def test_a_single_class_is_trained_on_whole(self, tmp_path):
        write_classes(tmp_path, ["good"], 4)
        split = self.split(tmp_path)
        assert len(split.X_train) == len(split.X_test) == 4
        assert split.is_outlier is None

    def test_a_folder_of_idx_files_has_its_classes(self, tmp_path):
        for name, n in [("train", 30), ("t10k", 20)]:
            for kind, shape in [("images-idx3", (n, 16, 16)), ("labels-idx1", (n,))]:
                values = np.arange(np.prod(shape)).reshape(shape) % (256 if len(shape) > 1 else 10)
                head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
                file = tmp_path / f"{name}-{kind}-ubyte"
                file.write_bytes(head + values.astype(np.uint8).tobytes())
        split = self.split(tmp_path, "--attention_label", "5")
        assert (len(split.X_train), split.is_outlier.sum(), len(split.X_test)) == (3, 18, 20)
        assert split.labels[:2].tolist() == [5, 5]
        with pytest.raises(cli.UserError, match=r"--attention_label is needed.*0, 1, 2"):
            self.split(tmp_path)

    def test_images_of_0_and_1_are_told_and_white_reads_them(self, tmp_path):
        rng = np.random.default_rng(0)
        for i in range(32):
            bits = rng.integers(0, 2, (28, 28), dtype=np.uint8)
            write_image(tmp_path / "zeros and ones" / f"{i}.png", bits)
        output = ["--output", tmp_path / "run"]
        command = ["train", "--dataset", tmp_path / "zeros and ones", *TINY, *output]
        assert_fails(command, "none above 1", "white=1", "in the shell --white")
        np.save(tmp_path / "X.npy", rng.integers(0, 2, (3, 28, 28), dtype=np.uint8))
        dark = self.split(tmp_path / "zeros and ones", "--white", "255").X_train
        assert (dark.dtype, dark.max()) == (np.float32, np.float32(1 / 255))
        assert run(*command, "--white", 1)[0] == 0
        score = ["score", tmp_path / "X.npy", "--model", tmp_path / "run"]
        status, dark, err = run(*score)
        assert "nothing above 1" in err
        status, out, err = run(*score, "--white", 1)
        assert (status, err) == (0, "")
        assert out != dark
        assert_fails([*score, "--background", 0], "holds arrays, not image files")

    def test_a_test_part_without_classes_is_an_error(self, tmp_path):
        write_classes(tmp_path, ["train/a", "train/b", "test"])
        with pytest.raises(cli.UserError, match="test has none"):
            self.split(tmp_path)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--attention_label", "12"], "target='12' is not among the labels of y: 0, 1, 2"),
            (["--epoch", "0"], "--epoch 0: expected 1 or more"),
            (["--train_size", "0"], "--train_size 0"),
            (["--input_height", "8"], "--input_height 8: expected 16 or more"),
            (["--outlier_share", "1.5"], "outlier_share=1.5"),
            (["--c_dim", "3"], "digits is grey"),
            (
                ["--statistics", "batch", "--batch_size", "2000"],
                "--statistics batch: there are 360 images to score, expected --batch_size 2000",
            ),
            (["--dataset", "cifar"], "'cifar' is neither 'mnist' nor 'digits' nor a folder"),
            (["--dataset", "mnist", "--dataset_address", "nowhere"], "'nowhere' does not exist"),
        ],
    )
    def test_bad_arguments_are_one_line_and_leave_nothing(self, tmp_path, options, message):
        assert_fails(
            ["train", "--dataset", "digits", *options, "--output", tmp_path / "run"], message
        )
        assert list(tmp_path.iterdir()) == []

    def test_fewer_images_than_a_batch_leave_nothing(self, tmp_path):
        options = ["--dataset", "digits", "--train_size", "5", "--batch_size", "16", "--quiet"]
        status, _, err = run("train", *options, "--output", tmp_path / "run")
        assert status == 2
        assert err.startswith("alocc: error: X holds 5 images, fewer than batch_size=16")
        assert err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    def test_an_output_that_cannot_be_is_told_first(self, tmp_path):
        (tmp_path / "file").touch()
        command = ["train", "--dataset", "digits", "--output"]
        assert_fails([*command, tmp_path / "file"], "is a file, expected a folder")
        assert_fails([*command, tmp_path / "no" / "run"], "there is no folder")

    def test_a_folder_of_classes_wants_to_know_which(self, tmp_path):
        write_classes(tmp_path / "data", ["cat", "dog"])
        command = ["train", "--dataset", tmp_path / "data", "--output", tmp_path / "run"]
        assert_fails(command, "--attention_label is needed", "cat, dog")
        assert_fails([*command, "--attention_label", "cow"], "cat, dog")

    def test_a_label_for_a_folder_without_labels_is_an_error(self, tmp_path):
        write_classes(tmp_path, ["images"])
        command = ["train", "--dataset", tmp_path / "images", "--output", tmp_path / "run"]
        assert_fails([*command, "--attention_label", "1"], "the images have no labels")

    def test_a_share_of_outliers_for_images_without_labels_is_an_error(self, tmp_path):
        write_classes(tmp_path, ["images"])
        command = ["train", "--dataset", tmp_path / "images", "--output", tmp_path / "run"]
        assert_fails([*command, "--outlier_share", "0.5"], "--outlier_share 0.5", "no labels")

    @pytest.mark.slow
    @pytest.mark.slow
    def test_images_that_are_normalised_by_their_own_batch_are_shown_among_as_many(self, tmp_path):
        command = ["--dataset", "digits", *TINY, "--statistics", "batch", "--quiet"]
        status, _, err = run("train", *command, "--output", tmp_path / "run")
        assert status == 0, err
        status, out, err = run("test", "--model", tmp_path / "run", "--dataset", "digits")
        assert (status, err) == (0, "")
        assert "One image of each class" in out

    def test_a_training_that_diverges_is_kept_and_judges_nothing(self, tmp_path):
        status, out, err = run(
            "train",
            "--dataset",
            "digits",
            *TINY,
            "--learning_rate",
            1e30,
            "--output",
            tmp_path / "r",
        )
        assert status == 0
        assert "not finite from update 0 on" in err
        assert "no figures of them" in err
        assert "reconstruction nan" in out
        assert pd.read_csv(tmp_path / "r" / "scores.csv")["prediction"].isna().all()
        settings = (tmp_path / "r" / "settings.json").read_text()
        assert json.loads(settings, parse_constant=pytest.fail)["auc"]["d_x"] is None

    def test_an_interruption_leaves_nothing(self, tmp_path, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(commands, "load", interrupt)
        status, _, err = run("train", "--output", tmp_path / "run")
        assert status == 130
        assert "interrupted" in err
        assert list(tmp_path.iterdir()) == []

    def test_warnings_are_one_line(self, tmp_path, monkeypatch):
        from alocc import mnist

        def offline(download):
            raise mnist.DatasetUnavailableError("no network.")

        monkeypatch.setattr(mnist, "_mnist_by_keras", offline)
        _, _, err = run("train", "--attention_label", "12", "--output", tmp_path / "run")
        assert err.splitlines()[0].startswith("alocc: warning: NOT MNIST: no network.")
        assert len(err.splitlines()) == 2


class TestTest:
    def test_prints_the_aucs_and_the_tutorials_test(self, trained, tmp_path):
        status, out, err = run(
            "test", "--model", trained[0], "--dataset", "digits", "--output", tmp_path / "test"
        )
        assert status == 0, err
        settings = json.loads((trained[0] / "settings.json").read_text())
        last = out.strip().splitlines()[-1]
        for name, auc in settings["auc"].items():
            assert f"{options.SCORE_LABELS[name]} {auc:.4f}" in last
        tutorial = pd.read_csv(tmp_path / "test" / "tutorial.csv")
        assert tutorial.label.tolist() == list(range(10))
        assert f"{tutorial.reconstruction_loss[3]:.4f}" in out
        assert (tmp_path / "test" / "scores.csv").exists()

    def test_takes_a_share_of_outliers_and_writes_nothing_unasked(self, trained, tmp_path):
        status, out, _ = run(
            "test", "--model", trained[0] / options.MODEL_FILE, "--dataset", "digits",
            "--outlier_share", "0.5", "--attention_label", "4", "--quiet",
        )  # fmt: skip
        assert status == 0
        n, n_outliers = [int(word) for word in out.splitlines()[-1].split() if word.isdigit()]
        assert n == 2 * n_outliers

    def test_a_model_that_is_none_is_an_error(self, tmp_path):
        assert_fails(["test", "--model", tmp_path / "no"], "there is no file")
        (tmp_path / "bad.keras").write_text("not a model")
        assert_fails(["test", "--model", tmp_path / "bad.keras"], "is not a saved ALOCC model")

    def test_images_without_labels_are_an_error(self, trained, tmp_path):
        folder = write_classes(tmp_path, ["images"]) / "images"
        assert_fails(["test", "--model", trained[0], "--dataset", folder], "takes labelled images")


class TestScore:
    def test_scores_a_folder_of_any_size(self, trained, tmp_path):
        folder = write_classes(tmp_path, ["images"], 3, (40, 30, 3)) / "images"
        status, out, err = run(
            "score", folder, "--model", trained[0], "--output", tmp_path / "scores.csv"
        )
        assert status == 0, err
        scores = pd.read_csv(tmp_path / "scores.csv")
        assert len(scores) == 3
        assert scores.file[0].endswith("0.png")
        assert set(scores.prediction) <= {-1, 1}
        assert "3 images scored" in out
        assert {file.name for file in tmp_path.iterdir()} == {"images", "scores.csv"}

    def test_scores_one_image(self, trained, tmp_path):
        write_image(tmp_path / "photo.png", np.full((30, 20, 3), 90, np.uint8))
        status, out, err = run("score", tmp_path / "photo.png", "--model", trained[0])
        assert status == 0, err
        header, line = out.splitlines()
        assert header == "row,file,reconstruction,d_x,d_rx,prediction"
        assert line.startswith(f"0,{tmp_path / 'photo.png'},-")
        assert line.rsplit(",")[-1] in ("1", "-1")

    def test_white_and_background_are_those_of_the_reader(self, trained, tmp_path):
        grey = np.full((28, 28), 2000, np.uint16)
        write_image(tmp_path / "1.png", grey)
        end = [tmp_path / "1.png", "--model", trained[0]]
        status, found, err = run("score", *end)
        assert "read as 12 bits, white=4095" in err
        status, given, err = run("score", *end, "--white", 4095)
        assert (status, err) == (0, "")
        assert found == given != run("score", *end, "--white", 65535)[1]
        write_image(tmp_path / "2.png", np.full((28, 28, 4), (0, 0, 0, 99), np.uint8))
        outs = [
            run("score", tmp_path / "2.png", "--model", trained[0], "--background", grey)[1]
            for grey in (0, 255)
        ]
        assert outs[0] != outs[1]
        assert_fails(["score", *end, "--background", "256"], "background=256")

    def test_predictions_are_those_of_the_detector(self, trained, tmp_path):
        from alocc.detector import ALOCC

        X = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
        np.save(tmp_path / "X.npy", X)
        run("score", tmp_path / "X.npy", "--model", trained[0], "--output", tmp_path / "s.csv")
        predicted = ALOCC.load(trained[0] / options.MODEL_FILE).predict(X)
        assert pd.read_csv(tmp_path / "s.csv")["prediction"].tolist() == predicted.tolist()

    def test_scores_an_array_as_train_did(self, trained, tmp_path):
        from alocc.datasets import load_digits_28

        X = load_digits_28().test_data
        np.save(tmp_path / "X.npy", X)
        np.savez(tmp_path / "X.npz", X=X, y=np.zeros(3))
        expected = pd.read_csv(trained[0] / "scores.csv").sort_values("row")
        for arguments in (["X.npy"], ["X.npz", "--array", "X"]):
            status, out, err = run(
                "score", tmp_path / arguments[0], *arguments[1:], "--model", trained[0]
            )
            assert status == 0, err
            (tmp_path / "out.csv").write_text(out)
            scores = pd.read_csv(tmp_path / "out.csv")
            np.testing.assert_allclose(
                scores.reconstruction, expected.reconstruction, rtol=1e-4, atol=1e-6
            )

    def test_arrays_of_another_size_are_resized_with_a_warning(self, trained, tmp_path):
        np.save(tmp_path / "X.npy", np.zeros((2, 14, 14), np.uint8))
        status, out, err = run("score", tmp_path / "X.npy", "--model", trained[0])
        assert status == 0
        assert out.count("\n") == 3
        assert "resized to the model's 28 x 28" in err

    def test_bad_input_is_one_line_and_leaves_nothing(self, trained, tmp_path, monkeypatch):
        monkeypatch.setattr(commands, "_load_model", functools.cache(commands._load_model))
        np.savez(tmp_path / "two.npz", a=np.zeros(1), b=np.zeros(1))
        np.save(tmp_path / "flat.npy", np.zeros(5))
        np.save(tmp_path / "range.npy", np.full((2, 28, 28), 7.0))
        (tmp_path / "text.npy").write_text("no array")
        (tmp_path / "mat.npy").write_bytes(b"MATLAB 5.0 MAT-file")
        (tmp_path / "text").write_text("no image")
        np.save(tmp_path / "first.npy", np.zeros((2, 1, 28, 28), np.uint8))
        before = set(tmp_path.iterdir())
        end = ["--model", trained[0], "--output", tmp_path / "scores.csv"]
        assert_fails(["score", tmp_path / "nowhere", *end], "does not exist")
        assert_fails(["score", tmp_path / "two.npz", *end], "several arrays", "a, b")
        assert_fails(["score", tmp_path / "two.npz", "--array", "c", *end], "holds a, b")
        assert_fails(["score", tmp_path / "text.npy", *end], "not a readable npy or npz file")
        assert_fails(["score", tmp_path / "mat.npy", *end], "looks like a MATLAB file")
        assert_fails(["score", tmp_path / "text", *end], "text is not a readable image")
        assert_fails(["score", tmp_path / "first.npy", *end], "(2, 1, 28, 28), channels first")
        assert_fails(["score", tmp_path / "text", "--array", "a", *end], "is no npz file")
        assert_fails(["score", tmp_path / "flat.npy", *end])
        assert_fails(["score", tmp_path / "range.npy", *end])
        assert set(tmp_path.iterdir()) == before
