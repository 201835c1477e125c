"""All targets, in the order of the report."""

from reproduction import (
    alocc_caltech,
    alocc_figure6,
    alocc_figure7,
    alocc_figure8,
    alocc_frames,
    alocc_tutorial,
    datasets,
    division,
    irrelevant_variables,
    new_data,
    onecluster,
    post,
    recorded_runs,
    stop_epochs,
    sub_generators,
)

GAAL = [
    recorded_runs.TARGET,
    *onecluster.REPOSITORY_TARGETS,
    post.LOGARITHMS,
    post.SCATTER,
    post.BIASED,
    post.UNBIASED,
    onecluster.POST_KERAS,
    datasets.TARGET,
    new_data.TARGET,
    division.TARGET,
    stop_epochs.TARGET,
    sub_generators.TARGET,
    irrelevant_variables.TARGET,
]
ALOCC = [
    alocc_tutorial.TARGET,
    alocc_figure6.TARGET,
    alocc_figure7.TARGET,
    alocc_figure8.TARGET,
    alocc_caltech.TARGET,
    alocc_frames.TARGET,
]
TARGETS = {target.name: target for target in [*GAAL, *ALOCC]}
