"""Frames of a video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.alocc_runs import MINE, PAPER, PUBLISHED, SCORES, page_figure, seeds_of, spread
from reproduction.target import Outcome, Plan, Target, sha256

PAPER_EER = PUBLISHED["paper_results"]["ucsd_ped2_frame_eer"]
PATCH, STRIDE = tuple(PAPER_EER["patch"]), 15
OTHER_DATA = "synthetic blobs, where the paper has the UCSD Ped2 video"


def _video():
    from alocc.datasets import make_blobs_video

    return make_blobs_video(random_state=0)


def run_frames(seed: int) -> dict:
    """Train on patches of normal frames; keep the scores of test frames and one anomaly map."""
    from alocc import ALOCC, protocols
    from alocc.datasets import anomaly_map, extract_patches, frame_scores

    video = _video()
    detector = ALOCC(batch_size=32, random_state=seed)
    detector.fit(extract_patches(video.train_frames, PATCH, STRIDE)[0])
    patches, positions = extract_patches(video.test_frames, PATCH, STRIDE)
    scores = protocols.all_scores(detector, patches)
    n, *frame_size = video.test_frames.shape
    maps = anomaly_map(-scores["reconstruction"], positions, PATCH, tuple(frame_size), n)
    frames = {score: frame_scores(values, positions, n) for score, values in scores.items()}
    return {
        "seed": seed,
        "frames": frames,
        "measures": {s: protocols.auc_eer(v, video.is_anomalous) for s, v in frames.items()},
        "is_anomalous": video.is_anomalous,
        "maps": {
            name: (video.test_frames[i], maps[i].astype(np.float32))
            for name, i in (
                ("normal", n // 4),
                ("with the intruder", int(np.flatnonzero(video.intruder.any((1, 2))).mean())),
            )
        },
    }


def show_frames(plan: Plan, results: list[dict]) -> Outcome:
    """Show the scores over time and where in the frame the anomaly lies."""
    measures = pd.DataFrame(
        [
            {"score": score, "seed": r["seed"], **measure}
            for r in results
            for score, measure in r["measures"].items()
        ]
    ).set_index("score")
    comparisons = [
        verdicts.stand_in(
            "frame AUC of reconstruction",
            measures.loc[["reconstruction"], "auc"].to_numpy(),
            0.9,
            "none",
        )
    ]
    for score, name in (("d_rx", "D(R(X))"), ("d_x", "D(X)")):
        ours = verdicts.cannot(
            f"frame EER of {SCORES[score]}", spread(measures.loc[[score], "eer"]), OTHER_DATA
        )
        comparisons.append(replace(ours, published=f"{PAPER_EER[name]:.2f} (UCSD Ped2)"))
    table = pd.DataFrame(
        [
            {
                "score": label,
                "AUC": spread(measures.loc[[score], "auc"]),
                "EER": spread(measures.loc[[score], "eer"]),
            }
            for score, label in SCORES.items()
        ]
    )
    video = _video()
    frames = np.concatenate([video.train_frames, video.test_frames])
    return Outcome(
        comparisons,
        {"Scores over time": _draw_frames(results[0]), "Anomaly map": _draw_maps(results[0])},
        {"Frames": table},
        [
            "A frame's score is that of its least normal patch. As published, D's statistics never"
            " move, so that D(x) and D(R(x)) are not to be relied on."
        ],
        [
            {
                "name": "blobs",
                "source": "alocc.datasets.make_blobs_video(random_state=0)",
                "sha256": sha256(frames),
            }
        ],
    )


def _draw_frames(result: dict) -> Figure:
    figure = page_figure(6)
    anomalous = np.flatnonzero(result["is_anomalous"])
    panels = figure.subplots(len(SCORES), sharex=True)
    for ax, (score, label) in zip(panels, SCORES.items()):
        measure = result["measures"][score]
        ax.plot(result["frames"][score], ".-", color="C0", label="score of the frame")
        ax.axvspan(
            anomalous[0] - 0.5, anomalous[-1] + 0.5, color="C3", alpha=0.15, label="intruder"
        )
        ax.axhline(measure["threshold"], color="0.3", linestyle=":", label="threshold of the EER")
        ax.set(title=f"{label}: AUC {measure['auc']:.2f}, EER {measure['eer']:.2f}")
    panels[0].legend(loc="lower left")
    panels[-1].set_xlabel("frame")
    figure.supylabel("score, higher is more normal")
    return figure


def _draw_maps(result: dict) -> Figure:
    from alocc import plots

    figure = page_figure(5.6)
    highest = max(float(anomaly.max()) for _, anomaly in result["maps"].values())
    for ax, (name, (frame, anomaly)) in zip(figure.subplots(2), result["maps"].items()):
        plots.plot_anomaly_map(frame, anomaly, 0, highest, ax).set_title(f"Frame, {name}")
    return figure


TARGET = Target(
    "alocc-frames",
    "ALOCC: frames of a video, an intruder among drifting blobs",
    f"{PAPER}, section 4.2 (there UCSD Ped2)",
    'ALOCC(batch_size=32), fidelity="published", patches of 30 x 30 every 15 pixels of 40'
    f" synthetic frames; {MINE}",
    lambda plan: [{"seed": seed} for seed in seeds_of(plan)],
    run_frames,
    show_frames,
)
