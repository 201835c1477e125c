"""All targets, in the order of the report."""

from reproduction import (
    alocc_figure6,
    alocc_figure7,
    alocc_figure8,
    alocc_frames,
    alocc_tutorial,
    datasets,
    division,
    irrelevant_variables,
    mo_onecluster,
    new_data,
    post_figure2,
    post_figure3,
    post_figure4,
    post_figure5,
    post_figure6,
    recorded_runs,
    so_onecluster,
    stop_epochs,
    sub_generators,
)

GAAL = [
    module.TARGET
    for module in (
        recorded_runs,
        so_onecluster,
        mo_onecluster,
        post_figure2,
        post_figure3,
        post_figure4,
        post_figure5,
        post_figure6,
        datasets,
        new_data,
        division,
        stop_epochs,
        sub_generators,
        irrelevant_variables,
    )
]
ALOCC = [
    module.TARGET
    for module in (
        alocc_tutorial,
        alocc_figure6,
        alocc_figure7,
        alocc_figure8,
        alocc_frames,
    )
]
TARGETS = {target.name: target for target in [*GAAL, *ALOCC]}
