"""Figure 2 of the post: the two logarithms."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.target import Outcome, Plan, Target, never, nothing


def show_post_logarithms(plan: Plan, runs: list[dict]) -> Outcome:
    """Show the two logarithms of figure 2: why the generator maximises log D(G(z))."""
    x = np.linspace(0.001, 0.999, 999)
    curve = {"log(x)": np.log(x), "log(1-x)": np.log(1 - x)}
    figure = Figure(figsize=(5, 4), layout="constrained")
    ax = figure.subplots()
    for (name, values), colour in zip(curve.items(), ("tab:blue", "tab:red")):
        ax.plot(x, values, color=colour, label=name)
    ax.set(xlabel="x", ylabel="value", ylim=(-5, 0.2), title="The two logarithms on (0, 1)")
    ax.legend()
    slopes = {name: np.gradient(values, x) for name, values in curve.items()}
    crossing = float(x[np.abs(curve["log(x)"] - curve["log(1-x)"]).argmin()])
    flat = abs(float(slopes["log(1-x)"][0]))
    compared = [
        verdicts.within("where the two curves cross", crossing, 0.5, 0.001),
        verdicts.holds(
            "slopes near 0",
            slopes["log(x)"][0] > 100 * flat,
            f"log(x) {slopes['log(x)'][0]:.0f}, log(1-x) -{flat:.1f}",
            "log(1-x) is flat where the generator starts, log(x) steep",
            "at x = 0.001 the one is over 100 times as steep as the other",
        ),
    ]
    return Outcome(compared, {"Figure 2 of the post": figure})


TARGET = Target(
    "post-figure2",
    "The two logarithms",
    "The post, figure 2",
    "x on (0, 1)",
    nothing,
    never,
    show_post_logarithms,
)
