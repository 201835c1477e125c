"""Load the networks that the post's author published into ours, and say what they score.

Of every run in CHKPT, the folder chkpt of qarchli/pytorch-gan-for-outlier-detection, D and G are
read without PyTorch and without running anything of the files, and set as the weights of our Keras
models. Printed are the AUC of 1 - D(x) on onecluster, and the means of D(x). Figures 4 and 5 of the
post are told by the SHA-256 of their runs.
"""

import argparse
import sys
from pathlib import Path

from gaal_alocc.cli import path
from gaal_alocc.startup import choose_tensorflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import studies


@studies.ending("post_checkpoint")
def main(argv: list[str] | None = None) -> int:
    """Print a line a run; exit with 2 where there is none, or one is not what it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "chkpt",
        type=path,
        metavar="CHKPT",
        help="folder with the folders discriminator and generator, runs of one name in both",
    )
    parser.add_argument(
        "--data-home", type=path, metavar="DIR", help="folder of onecluster; else it is downloaded"
    )
    args = parser.parse_args(argv)
    choose_tensorflow()
    runs = sorted(Path(args.chkpt, "discriminator").glob("*"))
    if not runs:
        raise ValueError(f"{args.chkpt} has no folder discriminator with files in it.")

    from reproduction import post_checkpoints

    from gaal.datasets import load_dataset

    data = load_dataset("onecluster", data_home=args.data_home)
    for run in runs:
        figure = post_checkpoints.figure_of(run)
        ends = post_checkpoints.describe(post_checkpoints.load(run), data)
        print(
            f"{f'figure {figure}' if figure else 'another run'}: AUC {ends['final_auc']:.4f},"
            f" D(x) of inliers {ends['D(x) of inliers']:.3f}, of outliers"
            f" {ends['D(x) of outliers']:.3f} ({run.name})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
