"""Figures 2 to 5 of the post: its argument, its points, and its PyTorch port.

"The post" is "Generative Adversarial Networks For Outlier Detection" with its PyTorch port,
qarchli/pytorch-gan-for-outlier-detection, whose generator bias tells figures 4 and 5 apart.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import post_checkpoints, verdicts
from reproduction.gaal_data import home_of, load
from reproduction.gaal_runs import by_seed, draw_runs, numbers, train, wide
from reproduction.onecluster import WHOLE, each, figure_value, judged, onecluster_pieces
from reproduction.target import Outcome, Plan, Target, only, sha256

# --- Figure 2: the two logarithms ----------------------------------------------------------------


def logarithms() -> dict:
    """Measure the two logarithms of figure 2: why the generator maximises log D(G(z))."""
    x = np.linspace(0.001, 0.999, 999)
    curve = {"log(x)": np.log(x), "log(1-x)": np.log(1 - x)}
    crossing = float(x[np.abs(curve["log(x)"] - curve["log(1-x)"]).argmin()])
    slopes = {name: float(np.gradient(values, x)[0]) for name, values in curve.items()}
    return {"x": x, "curve": curve, "crossing": crossing, "slopes": slopes}


def judge_logarithms(runs: list[dict]) -> Outcome:
    """Judge where the two cross, and how steep they are where the generator starts."""
    (run,) = runs
    steep, flat = run["slopes"]["log(x)"], abs(run["slopes"]["log(1-x)"])
    return Outcome(
        [
            verdicts.within("where the two curves cross", run["crossing"], 0.5, 0.001),
            verdicts.holds(
                "slopes near 0",
                steep > 100 * flat,
                f"log(x) {steep:.0f}, log(1-x) -{flat:.1f}",
                "log(1-x) is flat where the generator starts, log(x) steep",
                "at x = 0.001 the one is over 100 times as steep as the other",
            ),
        ]
    )


def draw_logarithms(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the two logarithms."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    ax = figure.subplots()
    for (name, values), colour in zip(runs[0]["curve"].items(), ("tab:blue", "tab:red")):
        ax.plot(runs[0]["x"], values, color=colour, label=name)
    ax.set(xlabel="x", ylabel="value", ylim=(-5, 0.2), title="The two logarithms on (0, 1)")
    ax.legend()
    return {"Figure 2 of the post": figure}


# --- Figure 3: the points ------------------------------------------------------------------------


def scatter(name: str, home: str | None) -> dict:
    """Measure the points of onecluster."""
    data = load(name, home)
    return {
        "points": sha256(data.data),
        "rows": len(data.data),
        "outliers": int(data.target.sum()),
        "centre": data.data[data.target == 0].mean(axis=0).tolist(),
    }


def judge_scatter(runs: list[dict]) -> Outcome:
    """Judge how many points there are, and where."""
    (run,) = runs
    compared = [
        verdicts.within("points", run["rows"], 1000, 0),
        verdicts.within("outliers", run["outliers"], 20, 0),
        verdicts.within("centre of the cluster, x1", run["centre"][0], 0.5, 0.02),
        verdicts.within("centre of the cluster, x2", run["centre"][1], 0.5, 0.02),
    ]
    return judged(runs, [], compared, {}, [])


def draw_scatter(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
    """Draw the points of onecluster."""
    from gaal import plots

    data = load("onecluster", home_of(plan))
    figure = Figure(figsize=(5, 5), layout="constrained")
    plots.plot_scatter(data.data, data.target, figure.subplots()).set_title("onecluster")
    return {"Figure 3 of the post": figure}


# --- Figures 4 and 5: the port -------------------------------------------------------------------

# "Xavier" there is PyTorch's xavier_uniform_; its dampening of 1e-6 leaves the decay at nothing.
POST_SETTINGS = {
    "stop_epochs": 1000,
    "decay": 0,
    "shuffle": True,
    "discriminator_init": "glorot_uniform",
    "discriminator_bias": 0.05,
}


def train_post(**piece) -> dict:
    """Train one detector, keep its curves, the weights of its networks, and where they ended."""
    data = load(piece["name"], piece["home"])

    def keep(fitted) -> dict:
        models = fitted.discriminator_, fitted.generator_
        weights = {n: model.get_weights() for n, model in zip(post_checkpoints.NETWORKS, models)}
        return {"weights": weights, "ends": post_checkpoints.describe(weights, data)}

    return train(**piece, keep=keep)


def numbers_post(run: dict) -> dict:
    """Take the raw numbers of a training, and where its networks ended."""
    return {**numbers(run), "ends": run["ends"]}


def nearest(runs: list[dict], published: dict) -> int:
    """Find the run that ends nearest to the published one."""
    return int(np.argmin(np.abs(np.array(each(runs, "end")) - published["final_auc"])))


def port(bias: float, number: int, settings: str) -> Target:
    """Make the target of figure 4 or 5, one run of the port."""
    told = f"{bias:g}".replace("e-05", "e-5")
    published = post_checkpoints.POST[f"generator_bias_{told}"]
    checkpoint = published["checkpoint"]

    def judge(runs: list[dict]) -> Outcome:
        final = each(runs, "end")
        ends = pd.DataFrame([run["ends"] for run in runs])
        compared = [
            verdicts.one_run("final AUC", final, published["final_auc"], 0.00005, len(final)),
            *(
                figure_value(runs, column, int(update), value)
                for column in ("generator_loss", "discriminator_loss")
                for update, value in published[column].items()
            ),
            *(
                verdicts.one_run(f"{what}, at the end", ends[what], value, 0.00005, len(runs))
                for what, value in checkpoint["ends"].items()
            ),
        ]
        tables = {
            "By seed": by_seed(runs),
            "The published networks among ours": among(ends, published),
        }
        notes = [
            "The post shows one run. Drawn is our run that ends nearest to it; the others are in"
            " the table.",
            f"AUC below 0.5 at the end: {sum(a < 0.5 for a in final)} of {len(final)} runs.",
            f"Its networks are published too (run {checkpoint['run']} in the folder chkpt of its"
            " repository): where they ended lies in the distribution of ours as the table says.",
        ]
        return judged(runs, [], compared, tables, notes)

    def draw(plan: Plan, runs: list[dict]) -> dict[str, Figure]:
        like = nearest(runs, published)
        figure = wide()
        draw_runs(runs, f"The port's settings, generator bias {told}", figure.subplots(), like)
        figures = {f"Figure {number} of the post": figure}
        found = post_checkpoints.find(plan, number)
        if found is not None:
            weights = {
                "the published run": post_checkpoints.load(found),
                f"ours, seed {runs[like]['seed']}": runs[like]["weights"],
            }
            data = load("onecluster", home_of(plan))
            figures[f"The networks behind figure {number}, and ours"] = draw_networks(weights, data)
        return figures

    return Target(
        f"post-figure{number}",
        f"The port with generator bias {told}",
        f"The post, figure {number}",
        settings,
        lambda plan: port_pieces(plan, bias),
        train_post,
        numbers_post,
        judge,
        draw,
        WHOLE,
        needs=("onecluster",),
    )


def port_pieces(plan: Plan, bias: float) -> list[dict]:
    """Ask for a training a seed; of made points, which nothing is held against, for three."""
    few = plan if plan.gaal_home else replace(plan, seeds=min(plan.seeds, 3))
    return onecluster_pieces(few, "SO-GAAL", {**POST_SETTINGS, "generator_bias": float(bias)})


def among(ends: pd.DataFrame, published: dict) -> pd.DataFrame:
    """Lay out where the published run ended, and how many of ours ended below it."""
    theirs = {"final_auc": published["final_auc"], **published["checkpoint"]["ends"]}
    rows = [
        {
            "measure": "AUC" if name == "final_auc" else name,
            "the published run": value,
            "ours, lowest": ends[name].min(),
            "median": ends[name].median(),
            "highest": ends[name].max(),
            "ours below it": f"{(ends[name] < value).sum()} of {len(ends)}",
        }
        for name, value in theirs.items()
    ]
    return pd.DataFrame(rows)


def draw_networks(weights: dict[str, dict], data) -> Figure:
    """Draw D over the plane and what G makes, a panel a run."""
    from gaal import plots

    z = np.random.default_rng(0).random((300, 2))
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    for ax, (name, networks) in zip(figure.subplots(1, len(weights), sharey=True), weights.items()):
        made = post_checkpoints.generated(networks, z)
        auc = post_checkpoints.describe(networks, data)["final_auc"]
        plots.plot_division(
            lambda X, networks=networks: post_checkpoints.scores(networks, X),
            data.data,
            made,
            data.target,
            ax,
        )
        ax.set_title(f"{name}: AUC {auc:.4f}", fontsize="medium")
    return figure


LOGARITHMS = Target(
    "post-figure2",
    "The two logarithms",
    "The post, figure 2",
    "x on (0, 1)",
    lambda plan: [{}],
    logarithms,
    only("crossing", "slopes"),
    judge_logarithms,
    draw_logarithms,
)
SCATTER = Target(
    "post-figure3",
    "The points of onecluster",
    "The post, figure 3",
    "all points",
    lambda plan: [{"name": "onecluster", "home": home_of(plan)}],
    scatter,
    only("points", "rows", "outliers", "centre"),
    judge_scatter,
    draw_scatter,
    WHOLE,
    needs=("onecluster",),
)
BIASED = port(
    1.0,
    4,
    "stop_epochs 1000, lr_d 0.01, lr_g 0.0001, momentum 0.9, no decay, Xavier discriminator"
    " with bias 0.05, generator bias 1, batches of 500 reshuffled every epoch",
)
UNBIASED = port(1e-5, 5, "as post-figure4, with generator bias 1e-5")
