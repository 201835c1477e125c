"""Frames of a video: UCSD Ped2 where it is at hand, or else blobs that drift about."""

import io
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.utils import Bunch

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
EER_NAMES = {"d_rx": "D(R(X))", "d_x": "D(X)"}
EER_TOLERANCE = 0.03  # half a percent of rounding, the rest of seeds and epochs
VIDEO = {"height": 95, "width": 145, "n_blobs": 12, "random_state": 0}  # 15 patches a frame
QUICK_EPOCHS = 1
OTHER_DATA = "synthetic blobs, where the paper has the UCSD Ped2 video"
N_SHOWN = 4  # anomalies of UCSD Ped2, one a video: the paper does not number its frames


@dataclass(frozen=True)
class Layout:
    """How a video is cut and trained on, and by which score its maps are drawn."""

    size: int
    stride: int
    batch_size: int
    max_patches: int | None
    mapped: str


BLOBS = Layout(45, 25, 32, None, "reconstruction")  # patches as in the authors' program
UCSD = Layout(30, 15, 128, 50_000, "d_rx")  # patches as in the paper


def load(ucsd: Path | None) -> Bunch:
    """Load the video, grey, or make that of blobs: all that is anomalous in it is known."""
    from alocc import datasets

    if ucsd is None:
        video = datasets.make_blobs_video(**VIDEO)
        n = len(video.test_frames)
        return Bunch(**video, masks=video.intruder, has_mask=np.ones(n, bool), test_videos=[""] * n)
    video = datasets.load_video(ucsd)
    if video.is_anomalous is None:
        raise ValueError(f"{ucsd} has neither masks nor a list of anomalous frames")
    video.update({name: video[name][..., 0] for name in ("train_frames", "test_frames")})
    return video


def frames_pieces(plan: Plan) -> list[dict]:
    """Ask for a run a seed."""
    epochs = AUTHORS_EPOCHS if plan.full else QUICK_EPOCHS
    return [{"seed": seed, "epochs": epochs, "ucsd": plan.ucsd} for seed in seeds_of(plan)]


def run_frames(seed: int, epochs: int, ucsd: Path | None) -> dict:
    """Train on patches of normal frames; keep the scores of test frames, maps and a film."""
    from alocc import plots, protocols

    video, layout = load(ucsd), BLOBS if ucsd is None else UCSD
    length = {"epochs": epochs, "first_epoch": epochs // 4, "batch_size": layout.batch_size}
    detector = authors_run(None, select_epoch="mean", **length)
    shown, filmed = to_show(video)
    frames, anomaly = defaultdict(list), {}

    def keep(part: slice, score: str, values: np.ndarray, maps: np.ndarray) -> None:
        frames[score].append(values)
        if score == layout.mapped:
            wanted = {*shown.values(), *filmed} & set(range(part.start, part.stop))
            anomaly.update({i: -maps[i - part.start].astype(np.float32) for i in wanted})

    given = (video.train_frames, video.test_frames, video.is_anomalous)
    truth = {"masks": video.masks, "has_mask": video.has_mask}
    cut = {"size": layout.size, "stride": layout.stride, "max_patches": layout.max_patches}
    table = protocols.frame_level(detector, *given, **truth, **cut, seeds=[seed], on_scores=keep)
    measures = table.set_index("score").filter(regex="auc|eer|threshold")
    film = io.BytesIO()
    in_film = np.stack([anomaly[i] for i in filmed])
    plots.film_anomaly_maps(video.test_frames[filmed], in_film, film)
    return {
        "seed": seed,
        "video": "blobs" if ucsd is None else "UCSD Ped2",
        "frames": {score: np.concatenate(parts) for score, parts in frames.items()},
        "measures": measures.to_dict("index"),
        "is_anomalous": video.is_anomalous,
        "maps": {name: (video.test_frames[i], anomaly[i]) for name, i in shown.items()},
        "film": np.frombuffer(film.getvalue(), np.uint8),
    }


def to_show(video: Bunch) -> tuple[dict[str, int], list[int]]:
    """Choose frames for maps, by what is said of them, and those of one test video for a film."""
    names, anomalous = np.asarray(video.test_videos), np.asarray(video.is_anomalous)
    videos = [name for name in dict.fromkeys(names.tolist()) if anomalous[names == name].any()]
    normal = np.flatnonzero(~anomalous)
    shown = {"normal": int(normal[len(normal) // 2])}
    for name in videos[:N_SHOWN]:
        within = np.flatnonzero(anomalous & (names == name))
        shown[f"anomalous {name}".strip()] = int(within[len(within) // 2])
    return shown, np.flatnonzero(names == videos[0]).tolist()


def judge_frames(results: list[dict]) -> Outcome:
    """Judge how the anomalous frames are told."""
    video = results[0]["video"]
    measures = pd.DataFrame(
        [
            {"score": score, "seed": r["seed"], **measure}
            for r in results
            for score, measure in r["measures"].items()
        ]
    ).set_index("score")
    comparisons = []
    if video == "blobs":
        auc = measures.loc[["reconstruction"], "auc"].to_numpy()
        comparisons.append(verdicts.stand_in("frame AUC of reconstruction", auc, 0.9, "none"))
    for score, name in EER_NAMES.items():
        what, eer = f"frame EER of {SCORES[score]}", measures.loc[[score], "eer"]
        if video == "blobs":
            ours = verdicts.cannot(what, spread(eer), OTHER_DATA)
            comparisons.append(replace(ours, published=f"{PAPER_EER[name]:.2f} (UCSD Ped2)"))
        else:
            median = float(np.median(eer))
            comparisons.append(verdicts.within(what, median, PAPER_EER[name], EER_TOLERANCE))
    kinds = {"auc": "AUC", "eer": "EER", "pixel_auc": "AUC, pixels", "pixel_eer": "EER, pixels"}
    table = pd.DataFrame(
        [
            {
                "score": label,
                **{
                    kind: spread(measures.loc[[score], name])
                    for name, kind in kinds.items()
                    if name in measures
                },
            }
            for score, label in SCORES.items()
        ]
    )
    notes = [
        "A frame's score is that of its least normal patch. By every score a patch counts by"
        " its mean of epochs, each oriented and standardised by training patches. At the level of"
        " pixels an anomalous frame is found where at least 40% of its anomalous pixels are.",
    ]
    if video == "blobs":
        notes.append(
            "A square is told by its reconstruction after the first epoch; D needs the full run."
        )
    stand_in = "drifting blobs for UCSD Ped2" if video == "blobs" else ""
    return Outcome(verdicts.of(video, comparisons), {"Frames": table}, notes, stand_in)


def draw_frames(plan: Plan, results: list[dict]) -> dict[str, Figure | bytes]:
    """Draw the scores over time, where in the frames the anomaly lies, and a film of it."""
    first = results[0]
    return {
        "Scores over time": _draw_scores(first),
        "Anomaly map": _draw_maps(first),
        "Anomaly map, film": first["film"].tobytes(),
    }


def describe_video(plan: Plan) -> list[dict[str, str]]:
    """Say where the video comes from."""
    ucsd = plan.ucsd
    video = load(ucsd)
    frames = np.concatenate([video.train_frames, video.test_frames])
    name, source = "UCSD Ped2", "UCSD_Anomaly_Dataset.v1p2, UCSDped2; SHA-256 of its frames"
    if ucsd is None:
        name, source = "blobs", f"alocc.datasets.make_blobs_video(**{VIDEO})"
    return [{"name": name, "source": source, "sha256": sha256(frames)}]


def _draw_scores(result: dict) -> Figure:
    figure = page_figure(6)
    # Where anomalies begin, and where they end.
    edges = np.flatnonzero(np.diff(np.pad(result["is_anomalous"].astype(int), 1))).reshape(-1, 2)
    panels = figure.subplots(len(SCORES), sharex=True)
    for ax, (score, label) in zip(panels, SCORES.items()):
        measure = result["measures"][score]
        ax.plot(result["frames"][score], ".-", color="C0", label="score of the frame")
        for i, (start, stop) in enumerate(edges):
            label_once = "_" * bool(i) + "anomalous"
            ax.axvspan(start - 0.5, stop - 0.5, color="C3", alpha=0.15, label=label_once)
        ax.axhline(measure["threshold"], color="0.3", linestyle=":", label="threshold of the EER")
        ax.set(title=f"{label}: AUC {measure['auc']:.2f}, EER {measure['eer']:.2f}")
    panels[-1].set_xlabel("frame")
    figure.supylabel("score, higher is more normal")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize="small")
    return figure


def _draw_maps(result: dict) -> Figure:
    from alocc import plots

    maps = result["maps"]
    figure = page_figure(3.7 * len(maps))  # as high as frames of the page's width
    ends = [float(end(anomaly)) for end in (np.min, np.max) for _, anomaly in maps.values()]
    scale = min(ends), max(ends)
    for ax, (name, (frame, anomaly)) in zip(figure.subplots(len(maps)), maps.items()):
        plots.plot_anomaly_map(frame, anomaly, *scale, ax).set_title(f"Frame, {name}")
    return figure


TARGET = Target(
    "alocc-frames",
    "ALOCC: anomalous frames of a video",
    f"{PAPER}, section 4.2 (UCSD Ped2)",
    f'ALOCC(fidelity="authors", epochs={AUTHORS_EPOCHS}, orientation="training",'
    f' select_epoch="mean", first_epoch={AUTHORS_EPOCHS // 4}); {MINE}; in a full run of'
    f" UCSD Ped2, where --data-home holds it, {UCSD.max_patches} patches of {UCSD.size} x"
    f" {UCSD.size} every {UCSD.stride} pixels, drawn by the seed, batches of {UCSD.batch_size};"
    f" else batches of {BLOBS.batch_size} of all patches of {BLOBS.size} x {BLOBS.size} every"
    f" {BLOBS.stride} pixels of 40 synthetic frames of {VIDEO['height']} x {VIDEO['width']},"
    f" in a quick run {QUICK_EPOCHS} epochs and first_epoch={QUICK_EPOCHS // 4}",
    frames_pieces,
    run_frames,
    only("video", "seed", "measures"),
    judge_frames,
    draw_frames,
    describe_video,
    long=True,
)
