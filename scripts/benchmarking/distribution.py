"""Updates on one device, two logical ones and two processes, and their messages alone.

Run as ``python -m benchmarking.distribution``, one side: prints JSON, for every algorithm the
seconds of an update and of the all-reduces in it, which are run once more on tensors of the same
sizes, with nothing computed between them.
"""

import argparse
import json
import os
import socket
import subprocess

import numpy as np
import tensorflow as tf
from common import processes

import alocc.networks
import alocc.training
import gaal.doors
import gaal.networks
import gaal.training
from benchmarking.timing import medians
from gaal_alocc import distribution as devices


def distribution(turns: int) -> list[dict]:
    """Compare an update on one device, two logical ones and two processes on this machine.

    All share the machine's cores, so that nothing can become faster: what is measured is the
    cost of dividing, and how much of it is communication.
    """
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [str(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    sides = {
        "1 device": [[]],
        "2 logical devices": [["--devices", "2"]],
        "2 processes": [["--worker", str(i), "--ports", *ports] for i in range(2)],
    }
    module, rows, alone = ("benchmarking.distribution", None, subprocess.PIPE), [], {}
    for side, arguments in sides.items():
        started = [processes.start(*module, "--turns", str(turns), *more) for more in arguments]
        for name, row in json.loads(processes.printed(started)[-1]).items():
            update, sent = row["update_s"], 1000 * row.get("communication_s", 0)
            rows.append(
                {
                    "figure": f"{name}, {side}: one update",
                    "update_ms": 1000 * update,
                    "communication_ms": sent,
                    "updates_a_second": 1 / update,
                    "throughput_of_one_device": alone.setdefault(name, update) / update,
                    "messages": row["messages"] if sent else 0,
                    "kB_sent": row["bytes"] / 1000 if sent else 0.0,
                    "goal": "none: to know",
                }
            )
    return rows


def sizes(weights) -> list[int]:
    """Numbers in each tensor."""
    return [int(np.prod(weight.shape)) for weight in weights]


def gaal_door(k: int | None, n: int, n_features: int, n_updates: int):
    """Make a call of the graph of SO-GAAL (k is None) or MO-GAAL, and list an update's messages."""
    rng = np.random.default_rng(0)
    X = tf.constant(rng.random((n, n_features), np.float32))
    batch_size = 500
    generator = (
        gaal.networks.build_generator(n_features)
        if k is None
        else gaal.networks.build_sub_generators(n_features, k)
    )
    gan = gaal.networks.combine(generator, gaal.networks.build_discriminator(n_features, n, seed=0))
    gaal.networks.compile_models(gan, 0.01, 0.0001, 1e-6, 0.9)
    algorithm = gaal.training.SO_GAAL if k is None else gaal.training.MO_GAAL
    door = gaal.doors.fused(gan, algorithm, X, batch_size, score_epochs=False)
    order = np.arange(batch_size, dtype=np.int32)[None, None].repeat(n_updates, axis=1)
    noise = rng.random((1, n_updates, algorithm.draws, batch_size, n_features), np.float32)
    messages = [sizes(gan.discriminator.weights), [1], sizes(generator.weights), [1]]
    if k is not None:
        messages = [*messages[:2], [n], messages[2], [1, k]]
    return lambda: door(order, noise, n_updates)[0], messages


def alocc_door(n_updates: int):
    """Make a call of ALOCC's graph door, and list an update's messages."""
    rng, batch_size, shape = np.random.default_rng(0), 128, (28, 28, 1)
    x = rng.random((n_updates, batch_size, *shape), np.float32)
    models = alocc.networks.combine(
        alocc.networks.build_generator(shape, seed=0), alocc.networks.build_discriminator(shape)
    )
    alocc.networks.compile_models(models)
    door = alocc.training.fused(models, batch_size)

    def statistics_of(model):
        # Of every normalisation: count, sums and sums of squares, and the same on the way back.
        channels = [int(w.shape[0]) for w in model.weights if w.name == "gamma"]
        return [[2 * c + 1] for c in channels] * 2

    discriminator, generator = models.discriminator, models.generator
    step_d = [*statistics_of(discriminator), sizes(discriminator.trainable_weights), [1]]
    step_r = [
        *statistics_of(generator),
        *statistics_of(discriminator),
        sizes(generator.trainable_weights),
        [1, 1, 1],
    ]
    return lambda: door(x, x).numpy(), [[x[0].size], *step_d * 2, *step_r * 2]


def all_reduces(messages: list[list[int]], n_updates: int):
    """Make a call that sends the messages of so many updates, one after the other."""
    strategy = tf.distribute.get_strategy()

    def send(total):
        replica = tf.distribute.get_replica_context()
        for message in messages:
            # Each waits for the one before it, as an update's do.
            summed = replica.all_reduce("SUM", [tf.fill((size,), total) for size in message])
            total = summed[-1][0] * 0.5
        return total

    @tf.function
    def graph():
        total = tf.constant(1.0)
        for _ in tf.range(n_updates):
            total = strategy.experimental_local_results(strategy.run(send, args=(total,)))[0]
        return total

    return lambda: graph().numpy()


def seconds(work, turns: int) -> float:
    """Median wall time of a call, the first, which traces, left out."""
    work()
    return medians({"": work}, turns)[""]


def main() -> None:
    """Measure one side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--worker", type=int, help="index among two processes")
    parser.add_argument("--ports", type=int, nargs=2)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    strategy = None
    if args.worker is not None:
        workers = [f"127.0.0.1:{port}" for port in args.ports]
        task = {"type": "worker", "index": args.worker}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
        strategy = "multiworker"
    elif args.devices > 1:
        devices.use_devices(args.devices)
        strategy = "mirrored"
    doors = {
        "SO-GAAL, 1000 x 2": (100, lambda n: gaal_door(None, 1000, 2, n)),
        "MO-GAAL k=10, 20000 x 20": (10, lambda n: gaal_door(10, 20_000, 20, n)),
        "ALOCC, 28 x 28, batch 128": (4, alocc_door),
    }
    result = {}
    with devices.scope(strategy):
        for name, (n_updates, make) in doors.items():
            door, messages = make(n_updates)
            row = {"update_s": seconds(door, args.turns) / n_updates, "messages": len(messages)}
            row["bytes"] = 4 * sum(map(sum, messages))
            if strategy is not None:
                sending = all_reduces(messages, n_updates)
                row["communication_s"] = seconds(sending, args.turns) / n_updates
            result[name] = row
    print(json.dumps(result))


if __name__ == "__main__":
    main()
