"""Small VGG students one after another, as one batched model, and side by side in processes.

Eight students of the studies' family (VGG 2+3, a sixteenth and an eighth of the widths) learn from
soft labels of 1,280 images of 32 x 32 for one epoch: batches of 128, Adam with L2, the same batches in the same
order for all. `one_after_another` trains each with all cores, as PyTorch does unless told otherwise.
`stacked` is `torch.func.vmap` over stacked weights, `grouped` one network of grouped convolutions and
batched matrix products, `processes` one worker a core with one thread each, as ``--engine local:N``
works (its processes wait, ready, before the clock begins). A `ratio` is the time one after another
divided by another's for the same work in the same run: above 1 that one is faster. Before that, all must
have reached the same loss (`loss_differs_by`, nats).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from softwidth.deep.families import make_family

STUDENTS, IMAGES, BATCH, SIZE = 8, 1280, 128, 32
WIDTHS = {"sixteenth": 1 / 16, "eighth": 1 / 8}
RECIPE = {"lr": 1e-3, "weight_decay": 1e-4}
ROUNDS = 5
ALIKE = 1e-3  # nats
BARS = {
    "sixteenth.ratio_to_processes": (">=", 2.0),
    "eighth.ratio_to_processes": (">=", 2.0),
}
Peer = Callable[[], float]


def run(quick: bool) -> dict[str, float]:
    """Seconds of an epoch of all students, and ratios."""
    images, students = (256, 2) if quick else (IMAGES, STUDENTS)
    found: dict[str, float] = {}
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("spawn"), _one_thread) as pool:
        for name, width in WIDTHS.items():
            peers = {
                "one_after_another": lambda w=width: one_after_another(w, range(students), images),
                "stacked": lambda w=width: stacked(w, students, images),
                "grouped": lambda w=width: grouped(w, students, images),
                "processes": lambda w=width: side_by_side(pool, cores, w, students, images),
            }
            losses = {peer: call() for peer, call in peers.items()}  # the first call warms up
            found[f"{name}.loss_differs_by"] = max(losses.values()) - min(losses.values())
            if found[f"{name}.loss_differs_by"] > ALIKE:
                raise ValueError(f"not the same work: {losses}")
            seconds: dict[str, list[float]] = {peer: [] for peer in peers}
            for _ in range(1 if quick else ROUNDS):
                for peer, call in peers.items():
                    began = time.perf_counter()
                    call()
                    seconds[peer].append(time.perf_counter() - began)
            own = {peer: statistics.median(each) for peer, each in seconds.items()}
            found |= {f"{name}.{peer}_seconds": round(value, 3) for peer, value in own.items()}
            found |= {
                f"{name}.ratio_to_{peer}": round(own["one_after_another"] / value, 2)
                for peer, value in own.items()
                if peer != "one_after_another"
            }
    return found


def data(images: int) -> tuple[Tensor, Tensor]:
    """Noise with soft labels: what is learnt does not matter here."""
    made = torch.Generator().manual_seed(0)
    X = torch.rand(images, 3, SIZE, SIZE, generator=made)
    return X, torch.softmax(torch.randn(images, 2, generator=made), dim=1)


def student(width: float, seed: int) -> nn.Module:
    """An untrained one."""
    torch.manual_seed(seed)
    return make_family("vgg", convolutional=2, fully_connected=3)(width)


def soft_loss(logits: Tensor, P: Tensor) -> Tensor:
    """Cross-entropy of the last axis, its mean over all others."""
    return -(P * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def one_after_another(width: float, seeds: Any, images: int) -> float:
    """The mean of their last losses."""
    X, P = data(images)
    losses = []
    for seed in seeds:
        model = student(width, seed).to(memory_format=torch.channels_last)
        adam = torch.optim.Adam(model.parameters(), **RECIPE)
        for x, p in zip(X.split(BATCH), P.split(BATCH), strict=True):
            loss = soft_loss(model(x.contiguous(memory_format=torch.channels_last)), p)
            adam.zero_grad()
            loss.backward()
            adam.step()
        losses.append(float(loss.detach()))
    return statistics.mean(losses)


def stacked(width: float, students: int, images: int) -> float:
    """`vmap` over their stacked weights."""
    X, P = data(images)
    models = [student(width, seed) for seed in range(students)]
    weights, buffers = stack_module_state(models)
    bare = student(width, 0).to("meta")

    def logits_of(weights: Any, buffers: Any, x: Tensor) -> Tensor:
        return functional_call(bare, (weights, buffers), (x,))

    batched = vmap(logits_of, in_dims=(0, 0, None))
    return _train_together(
        list(weights.values()), lambda x: batched(weights, buffers, x), X, P, students
    )


def grouped(width: float, students: int, images: int) -> float:
    """One network: a group of channels, or a slice of a batched product, for each of them."""
    X, P = data(images)
    models = [student(width, seed) for seed in range(students)]
    layers: list[tuple[nn.Module, list[Tensor]]] = []
    for same in zip(*models, strict=True):  # type: ignore[call-overload]
        own: list[Tensor] = []
        if isinstance(same[0], nn.Conv2d):
            own = [
                torch.cat([layer.weight for layer in same]),
                torch.cat([layer.bias for layer in same]),
            ]
        elif isinstance(same[0], nn.Linear):
            own = [
                torch.stack([layer.weight.T for layer in same]),
                torch.stack([layer.bias for layer in same]),
            ]
        layers.append((same[0], [tensor.detach().requires_grad_() for tensor in own]))

    def logits_of(x: Tensor) -> Tensor:
        h = x.repeat(1, students, 1, 1)
        for layer, own in layers:
            if isinstance(layer, nn.Conv2d):
                h = torch.conv2d(h, own[0], own[1], padding=1, groups=students)
            elif isinstance(layer, nn.Flatten):
                h = h.reshape(len(x), students, -1).transpose(0, 1)
            elif isinstance(layer, nn.Linear):
                h = torch.baddbmm(own[1][:, None], h, own[0])
            else:
                h = layer(h)
        return h

    return _train_together([t for _, own in layers for t in own], logits_of, X, P, students)


def _train_together(
    weights: list[Tensor],
    logits_of: Callable[[Tensor], Tensor],
    X: Tensor,
    P: Tensor,
    students: int,
) -> float:
    adam = torch.optim.Adam(weights, **RECIPE)
    for x, p in zip(X.split(BATCH), P.split(BATCH), strict=True):
        loss = soft_loss(logits_of(x), p)
        adam.zero_grad()
        (students * loss).backward()
        adam.step()
    return float(loss.detach())


def side_by_side(
    pool: ProcessPoolExecutor, hands: int, width: float, students: int, images: int
) -> float:
    """In equal shares."""
    shares = [range(first, students, hands) for first in range(min(hands, students))]
    jobs = [pool.submit(one_after_another, width, share, images) for share in shares]
    sums = [job.result() * len(share) for job, share in zip(jobs, shares, strict=True)]
    return sum(sums) / students


def _one_thread() -> None:
    torch.set_num_threads(1)
