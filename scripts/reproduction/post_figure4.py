"""Figure 4 of the post: the port with generator bias 1."""

from __future__ import annotations

from reproduction.post_port import post_pieces, show_post, train_post
from reproduction.target import Target

TARGET = Target(
    "post-figure4",
    "The port with generator bias 1",
    "The post, figure 4",
    "stop_epochs 1000, lr_d 0.01, lr_g 0.0001, momentum 0.9, no decay, Xavier discriminator"
    " with bias 0.05, generator bias 1, batches of 500 reshuffled every epoch",
    post_pieces(1.0),
    train_post,
    show_post(1.0, 4),
    needs=("onecluster",),
)
