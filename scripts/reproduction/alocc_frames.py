"""Frames of a video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction import verdicts
from reproduction.alocc_runs import (
    AUTHORS_EPOCHS,
    MINE,
    PAPER,
    PUBLISHED,
    SCORES,
    authors_run,
    page_figure,
    seeds_of,
    spread,
)
from reproduction.target import Outcome, Plan, Target, only, sha256

PAPER_EER = PUBLISHED["paper_results"]["ucsd_ped2_frame_eer"]
PATCH, STRIDE = 45, 25  # of the authors' program; the paper has patches of 30 x 30
VIDEO = {"height": 95, "width": 145, "n_blobs": 12, "random_state": 0}  # 15 patches a frame
QUICK_EPOCHS = 2
OTHER_DATA = "synthetic blobs, where the paper has the UCSD Ped2 video"


def _video():
    from alocc.datasets import make_blobs_video

    return make_blobs_video(**VIDEO)


def frames_pieces(plan: Plan) -> list[dict]:
    """Ask for a run a seed."""
    epochs = AUTHORS_EPOCHS if plan.full else QUICK_EPOCHS
    return [{"seed": seed, "epochs": epochs} for seed in seeds_of(plan)]


def run_frames(seed: int, epochs: int) -> dict:
    """Train on patches of normal frames; keep the scores of test frames and one anomaly map."""
    from alocc import protocols
    from alocc.datasets import anomaly_map, extract_patches, frame_scores

    video = _video()
    length = {"epochs": epochs, "first_epoch": epochs // 4, "batch_size": 32}
    detector = authors_run(None, select_epoch="mean", random_state=seed, **length)
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


def judge_frames(results: list[dict]) -> Outcome:
    """Judge how the frames with the intruder are told."""
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
    return Outcome(
        comparisons,
        {"Frames": table},
        [
            "A frame's score is that of its least normal patch. By every score a patch counts by"
            " its mean of epochs, each oriented and standardised by training patches.",
            "A square is told by its reconstruction after the first epoch; D needs the full run.",
        ],
    )


def draw_frames(plan: Plan, results: list[dict]) -> dict[str, Figure]:
    """Draw the scores over time and where in the frame the anomaly lies."""
    return {"Scores over time": _draw_scores(results[0]), "Anomaly map": _draw_maps(results[0])}


def describe_video(plan: Plan) -> list[dict[str, str]]:
    """Say how the video is made."""
    video = _video()
    frames = np.concatenate([video.train_frames, video.test_frames])
    source = f"alocc.datasets.make_blobs_video(**{VIDEO})"
    return [{"name": "blobs", "source": source, "sha256": sha256(frames)}]


def _draw_scores(result: dict) -> Figure:
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

    figure = page_figure(7.4)  # as high as two frames of the page's width
    highest = max(float(anomaly.max()) for _, anomaly in result["maps"].values())
    for ax, (name, (frame, anomaly)) in zip(figure.subplots(2), result["maps"].items()):
        plots.plot_anomaly_map(frame, anomaly, 0, highest, ax).set_title(f"Frame, {name}")
    return figure


TARGET = Target(
    "alocc-frames",
    "ALOCC: frames of a video, an intruder among drifting blobs",
    f"{PAPER}, section 4.2 (there UCSD Ped2)",
    f'ALOCC(fidelity="authors", epochs={AUTHORS_EPOCHS}, batch_size=32, orientation="training",'
    f' select_epoch="mean", first_epoch={AUTHORS_EPOCHS // 4}), patches of {PATCH} x {PATCH} every'
    f" {STRIDE} pixels of 40 synthetic frames of {VIDEO['height']} x {VIDEO['width']}; {MINE},"
    f" {QUICK_EPOCHS} epochs and first_epoch={QUICK_EPOCHS // 4}",
    frames_pieces,
    run_frames,
    only("seed", "measures"),
    judge_frames,
    draw_frames,
    describe_video,
    long=True,
)
