"""ALOCC's port, departure by departure: each switched on alone in the authors' program, and back.

The Keras port ("published") is a port of the authors' program, from which it departs in nearly
everything. Which departure has D win at once, and which stills the flips of its sign? Each run
trains a digit for a few epochs and writes a row an epoch; runs that are there already are not
made again.
"""

import argparse
import functools
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.metrics import roc_auc_score

import gaal_alocc.cli
from alocc.datasets import load_images
from gaal_alocc.files import write_aside
from gaal_alocc.startup import choose_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import studies
from common.tables import frame
from reproduction.alocc_digits import split_at

REPORTS = Path(__file__).resolve().parents[2] / "reports" / "alocc_departures"
TRAIN_SIZE = 2560  # images of the digit, 20 updates an epoch
REFERENCES = 640
TEST_SIZE = 500  # images of the digit, and as many others
DIM = 16  # gf_dim and df_dim
RUN = ["base", "departure", "digit", "seed", "dataset", "n_epochs"]


@dataclass(frozen=True)
class Setting:
    """All in which the two programs differ."""

    ingredients: object
    algorithm: object
    decoder: str
    clipvalue: float | None
    decay: float


def programs() -> dict[str, dict[str, Setting]]:
    """Each base with its departures towards the other."""
    import keras

    from alocc import keras2, networks, tensorflow1, training

    authors = Setting(
        networks.FIDELITIES["authors"], training.ALGORITHMS["authors"], "transpose", None, 0.0
    )
    port = Setting(networks.FIDELITIES["published"], training.PUBLISHED, "upsampling", 1.0, 1e-8)

    def mixed(base: Setting, **ingredients) -> Setting:
        return replace(base, ingredients=replace(base.ingredients, **ingredients))

    def updated(base: Setting, update) -> Setting:
        return replace(base, algorithm=training.Algorithm(update, base.algorithm.losses))

    def taken(base: Setting, other: Setting, *names: str) -> Setting:
        return mixed(base, **{name: getattr(other.ingredients, name) for name in names})

    output = ("reconstruction_activation", "reconstruction_loss")
    slower = functools.partial(tensorflow1.BatchNormalization, momentum=0.99)
    faster = functools.partial(keras2.BatchNormalization, momentum=0.9)
    from_zero = functools.partial(keras.optimizers.RMSprop, epsilon=1e-10)
    normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
    return {
        "authors": {
            "none": authors,
            "decoder": replace(authors, decoder=port.decoder),
            "sigmoid and its cross-entropy": taken(authors, port, *output),
            "clean target": updated(authors, clean_target),
            "two D steps": updated(authors, two_steps_of_d),
            "accumulators from zero": mixed(authors, optimizer=from_zero),
            "D's statistics stay at 0 and 1": mixed(
                authors, discriminator_normalization=untracked(tensorflow1.BatchNormalization)
            ),
            "Glorot kernels": taken(authors, port, "kernel_initializer", "output_initializer"),
            "slope 0.3": taken(authors, port, "leaky_relu"),
            "clipping": replace(authors, clipvalue=port.clipvalue),
            "decay": replace(authors, decay=port.decay),
            "momentum 0.99": mixed(
                authors, generator_normalization=slower, discriminator_normalization=slower
            ),
        },
        "published": {
            "none": port,
            "decoder": replace(port, decoder=authors.decoder),
            "tanh and its cross-entropy": taken(port, authors, *output),
            "noisy target": updated(port, noisy_target),
            "one D step": updated(port, one_step_of_d),
            "accumulators from one": mixed(port, optimizer=tensorflow1.RMSProp),
            "D's statistics tracked": mixed(
                port, discriminator_normalization=keras2.BatchNormalization
            ),
            "normal kernels": mixed(
                taken(port, authors, "kernel_initializer"), output_initializer=normal
            ),
            "slope 0.2": taken(port, authors, "leaky_relu"),
            "no clipping": replace(port, clipvalue=authors.clipvalue),
            "no decay": replace(port, decay=authors.decay),
            "momentum 0.9": mixed(port, generator_normalization=faster),
        },
    }


# ---------------------------------------------------------------------------------------
# Departures in the order of the steps


def _with_target(update, networks, door, z, target, x):
    """Make an update in which R's steps reconstruct another image."""
    from alocc import training

    def of(step):
        def made(model, inputs, y):
            return step(model, inputs, [target, y[1]] if model is networks.adversarial_model else y)

        return made

    return update(networks, training.Door(of(door.train), of(door.test)), x, z)


def clean_target(networks, door, x, z):
    """Have R reconstruct the clean image, in the authors' program."""
    from alocc.training import authors_update

    return _with_target(authors_update, networks, door, z, x, x)


def noisy_target(networks, door, x, z):
    """Have R reconstruct the noisy image, in the port."""
    from alocc.training import published_update

    return _with_target(published_update, networks, door, z, z, x)


def two_steps_of_d(networks, door, x, z):
    """Have D take a step on real images and another on reconstructed ones."""
    from alocc import training

    def train(model, inputs, y):
        if model is not networks.discriminator_model:
            return door.train(model, inputs, y)
        fake = networks.generator(inputs[1], training=True)
        real = door.train(networks.discriminator, inputs[0], y[0])["loss"]
        fake = door.train(networks.discriminator, fake, y[1])["loss"]
        return {"real_loss": real, "fake_loss": fake}

    return training.authors_update(networks, training.Door(train, door.test), x, z)


def one_step_of_d(networks, door, x, z):
    """Have D take one step on real and reconstructed images together, in the port."""
    from alocc import training

    logs = {}

    def train(model, inputs, y):
        if model is not networks.discriminator:
            return door.train(model, inputs, y)
        if not logs:
            ones = y
            logs.update(door.train(networks.discriminator_model, [x, z], [ones, 0 * ones]))
            return {"loss": logs["real_loss"]}
        return {"loss": logs["fake_loss"]}

    return training.published_update(networks, training.Door(train, door.test), x, z)


def untracked(base):
    """Class of normalisation that leaves its moving statistics where they are."""

    class Untracked(base):
        def call(self, inputs, training=None, mask=None):
            kept = self.moving_mean + 0.0, self.moving_variance + 0.0
            outputs = super().call(inputs, training=training)
            for variable, value in zip((self.moving_mean, self.moving_variance), kept):
                variable.assign(value)
            return outputs

    return Untracked


# ---------------------------------------------------------------------------------------
# Runs


def run(setting: Setting, digit: int, seed: int, epochs: int, images):
    """Train, and measure D after every epoch: a row an epoch."""
    from alocc import networks, training
    from alocc.datasets import add_noise, to_unit

    split = split_at(0.5, digit, seed, images)
    kinds = [np.flatnonzero(split.is_outlier == kind)[:TEST_SIZE] for kind in (False, True)]
    X_test = to_unit(split.X_test[np.concatenate(kinds)])[..., None].astype("float32")
    is_inlier = np.repeat([True, False], [len(kind) for kind in kinds])
    X = to_unit(split.X_train[:TRAIN_SIZE])[..., None].astype("float32")
    batch_size = min(128, len(X))
    noise_seed, r_seed, d_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
    z = add_noise(X, 0.155, noise_seed).astype("float32")
    ingredients = setting.ingredients
    image_shape = X.shape[1:]
    models = networks.combine(
        networks.build_generator(image_shape, DIM, DIM, setting.decoder, ingredients, r_seed),
        networks.build_discriminator(image_shape, DIM, ingredients, d_seed),
        ingredients,
    )
    networks.compile_models(
        models, clipvalue=setting.clipvalue, decay=setting.decay, ingredients=ingredients
    )

    def logits(x, reconstructed: bool):
        seen = models.generator(x, training=False) if reconstructed else x
        values = models.discriminator(seen, training=False).numpy().ravel().astype(float)
        if ingredients.validity_activation == "linear":
            return values
        return logit(np.clip(values, 1e-7, 1 - 1e-7))

    rows = []

    def measure(epoch: int, logs: dict) -> None:
        row = {"epoch": epoch, **{name: logs[name] for name in training.LOSSES}}
        for name, reconstructed in (("d_x", False), ("d_rx", True)):
            center = logits(X[:REFERENCES], reconstructed).mean()
            auc = roc_auc_score(is_inlier, logits(X_test, reconstructed))
            row |= {f"{name}_center": center, f"{name}_auc": auc}
            row[f"{name}_auc_oriented"] = auc if center > 0 else 1 - auc
        rows.append(row)

    training.train(
        models,
        X,
        z,
        algorithm=setting.algorithm,
        batch_size=batch_size,
        n_epochs=epochs,
        on_epoch=measure,
    )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, command: str) -> str:
    """Lay out a row a departure: D's loss, the flips of its sign, and the AUC of D(R(x)).

    D's loss is that on real images and that on reconstructed ones together, 2 log 2 = 1.386 of a D
    that tells nothing. It and the AUC, oriented by D's sign, are means over the later half of the
    epochs, where no other is named.
    """
    table = table.assign(d_loss=table["d_loss_real"] + table["d_loss_fake"])
    lines = ["# ALOCC's port, departure by departure", "", f"Made by `{command}`.", ""]
    for (base, dataset, n), part in table.groupby(["base", "dataset", "n_epochs"], sort=False):
        rows = []
        for departure, some in part.groupby("departure", sort=False):
            signs = some.groupby(["digit", "seed"])["d_rx_center"]
            flips = signs.agg(lambda center: int((center > 0).astype(int).diff().abs().sum()))
            later = some[some["epoch"] >= n // 2]
            auc = later.groupby("digit")["d_rx_auc_oriented"].mean()
            rows.append(
                {
                    "departure": departure,
                    "runs": len(flips),
                    "D's loss, epoch 1": f"{some.loc[some['epoch'] == 0, 'd_loss'].mean():.2f}",
                    "2": f"{some.loc[some['epoch'] == 1, 'd_loss'].mean():.2f}",
                    f"{n // 2 + 1} to {n}": f"{later['d_loss'].mean():.2f}",
                    "sign flips": f"{flips.sum()} of {len(flips) * (n - 1)}",
                    **{f"AUC, digit {digit}": f"{value:.2f}" for digit, value in auc.items()},
                }
            )
        lines += [f"## In {base!r}, {n} epochs of {dataset}", ""]
        lines += [*frame(pd.DataFrame(rows).fillna("")), ""]
    return "\n".join(lines)


@studies.ending("alocc_departures")
def main(argv: list[str] | None = None) -> int:
    """Make the runs that are missing and write the summary; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--base", choices=("authors", "published"), nargs="+")
    parser.add_argument("--dataset", choices=("mnist", "digits"), default="mnist")
    parser.add_argument("--dataset_address", type=os.path.expanduser, metavar="PATH")
    parser.add_argument("--digits", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--departures", nargs="+", metavar="NAME", help="by default all")
    parser.add_argument("--output", type=gaal_alocc.cli.path, default=REPORTS, metavar="DIR")
    args = parser.parse_args(argv)
    choose_tensorflow()
    settings = {b: s for b, s in programs().items() if b in (args.base or programs())}
    known = {name for departures in settings.values() for name in departures}
    if unknown := sorted(set(args.departures or ()) - known):
        parser.error(f"no departure {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    images = load_images(args.dataset, args.dataset_address)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "epochs.csv"
    wanted = [
        (base, departure, digit, seed, images.name, args.epochs)
        for seed in args.seeds
        for digit in args.digits
        for base, departures in settings.items()
        for departure in departures
        if departure in (args.departures or known)
    ]
    table = studies.collect(
        path,
        RUN,
        wanted,
        lambda base, departure, digit, seed, _, epochs: run(
            settings[base][departure], digit, seed, epochs, images
        ),
        lambda rows: f"D(R(x)) oriented {rows['d_rx_auc_oriented'].iloc[-1]:.3f}",
    )
    command = studies.called("studies/alocc_departures", argv)
    path = args.output / "summary.md"
    write_aside(path, lambda aside: aside.write_text(summary(table, command)))
    print(f"{path} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
