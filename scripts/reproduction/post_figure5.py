"""Figure 5 of the post: the port with generator bias 1e-5."""

from __future__ import annotations

from reproduction.post_port import post_pieces, show_post, train_post
from reproduction.target import Target

TARGET = Target(
    "post-figure5",
    "The port with generator bias 1e-5",
    "The post, figure 5",
    "as post-figure4, with generator bias 1e-5",
    post_pieces(1e-5),
    train_post,
    show_post(1e-5, 5),
    needs=("onecluster",),
)
