"""Training of networks that choose energy layers: folds, epochs, and going on after an interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from isodose import __version__
from isodose.dose.progress import Progress
from isodose.errors import InputError
from isodose.learn.layer_batch import batch_of
from isodose.learn.layer_beliefs import chained, independent
from isodose.learn.layer_image import LayerImage
from isodose.learn.layer_losses import LOSSES
from isodose.learn.layer_network import LayerNetwork
from isodose.learn.layer_weights import LayerWeights, read_layer_weights, write_layer_weights
from isodose.learn.switch_times import SwitchTimes
from isodose.patient.files import atomic_path

WHOLE = "all"
"""Name of the network that learns from all images."""
HOT, COLD = 0.5, 0.02
"""Temperature of the distributions at the beginning and the end, in units of cost.

A distribution that may not be spread out is stuck where it begins: changing a layer alone costs two switches.
So the loss has its entropy, times the temperature, taken off, and the temperature falls. The paper's loss has
neither.
"""
_COOLED = 0.8
"""Part of the training after which it stays cold."""
_WARM_UP = 0.1
"""Part of the training over which the learning rate rises; it falls like a cosine afterwards."""
_LARGEST_GRADIENT = 1.0
_WEIGHT_DECAY = 1e-2
_EPOCHS_KEPT = 5

Watcher = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class LayerTraining:
    """How networks are trained.

    Parameters
    ----------
    loss
        One of `isodose.learn.layer_losses.LOSSES`.
    times
        Switching times that the networks are for.
    chain
        Whether control points form a chain (see `isodose.learn.layer_beliefs`). The paper's loss has none;
        networks for spread layers that were trained with one chose a single energy for the whole arc.
    epochs
        How often each network sees each of its images, every time begun at another control point.
    folds
        Parts of the images, each held out by one network; 0 or 1 for none.
    batch
        Images a step.
    learning_rate
        Largest one of AdamW (Loshchilov and Hutter, arXiv 1711.05101).
    seed
        Of everything that is random.
    """

    loss: str
    times: SwitchTimes
    chain: bool
    epochs: int = 9
    folds: int = 5
    batch: int = 4
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError("--loss", repr(self.loss), f"one of {', '.join(LOSSES)}")
        if self.loss == "paper" and self.chain:
            raise InputError("--chain", "a chain", "--no-chain with the paper's loss, which knows none")
        for name, least in (("epochs", 1), ("folds", 0), ("batch", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"--{name}", getattr(self, name), f"at least {least}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0.0):
            raise InputError("--learning-rate", self.learning_rate, "a positive number")

    def held_out(self, names: list[str]) -> dict[str, list[str]]:
        """Images that each network does not see: none for `WHOLE`, and a fold each for the others."""
        out: dict[str, list[str]] = {WHOLE: []}
        if self.folds > 1:
            if self.folds > len(names):
                raise InputError("--folds", self.folds, f"at most {len(names)}, as there are images")
            order = np.random.default_rng(self.seed).permutation(sorted(names))
            for i in range(self.folds):
                out[f"fold_{i + 1}"] = sorted(str(name) for name in order[i :: self.folds])
        return out


def train_layers(
    images: Mapping[str, LayerImage],
    training: LayerTraining,
    folder: Path,
    command: str,
    progress: Watcher = lambda _: None,
) -> list[Path]:
    """Train a network on all images and one for each fold, one file of weights each.

    Networks that the folder holds are kept; one that was cut off goes on from its last checkpoint, and gives
    the same weights as if nothing had happened.

    Parameters
    ----------
    images
        By name.
    training
        How to train.
    folder
        Of the weights; it must exist.
    command
        For the record.
    progress
        Is told of every step.

    Raises
    ------
    InputError
        If the folder holds networks or checkpoints of another training.
    """
    held_out = training.held_out(list(images))
    steps = {n: training.epochs * _batches(len(images) - len(h), training) for n, h in held_out.items()}
    total, done, began = sum(steps.values()), 0, time.monotonic()
    before = 0

    def tell(step: int) -> None:
        gone = time.monotonic() - began
        here = done + step - before
        left = gone / here * (total - done - step) if here > 0 else math.nan
        progress(Progress(done + step, total, gone, left, unit=f"steps ({training.loss})"))

    files = []
    for number, (name, out) in enumerate(held_out.items()):
        file = folder / f"{name}.npz"
        seen = {n: image for n, image in images.items() if n not in out}
        run = _Run(seen, training, number, folder / f"{name}.checkpoint")
        record = {"command": command, **run.record, "network": name, "held_out": out}
        if file.exists():
            _check_same(record, read_layer_weights(file).provenance, file)
            before += steps[name]
        else:
            network = run.train(tell)
            arrays = {k: v.numpy() for k, v in network.state_dict().items()}
            write_layer_weights(
                file, LayerWeights(training.loss, training.times, training.chain, arrays, record)
            )
            run.checkpoint.unlink(missing_ok=True)
        done += steps[name]
        files.append(file)
    return files


def _batches(images: int, training: LayerTraining) -> int:
    return math.ceil(images / training.batch)


def _check_same(wanted: Mapping[str, Any], found: Mapping[str, Any], file: Path) -> None:
    for key in ("images", "training"):
        if wanted[key] != found.get(key):
            raise InputError(key, "those of another training", "an empty folder, or the same command", file)


class _Run:
    """One network's training."""

    def __init__(
        self, images: Mapping[str, LayerImage], training: LayerTraining, number: int, checkpoint: Path
    ) -> None:
        self.names, self.images = sorted(images), images
        self.training, self.number, self.checkpoint = training, number, checkpoint
        versions = {"version": __version__, "torch": str(torch.__version__)}
        self.record = {"images": self.names, "training": asdict(training), **versions}
        self.batches = _batches(len(images), training)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed * 1000 + number)
            self.network = LayerNetwork()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=training.learning_rate, weight_decay=_WEIGHT_DECAY
        )

    def train(self, tell: Callable[[int], None]) -> LayerNetwork:
        """Train from the beginning, or from where the checkpoint is."""
        for epoch in range(self._restored(), self.training.epochs):
            # What is drawn depends on the epoch alone, so that going on is no different from not stopping.
            rng = np.random.default_rng((self.training.seed, self.number, epoch))
            order = rng.permutation(len(self.names))
            for i in range(self.batches):
                chosen = order[i * self.training.batch : (i + 1) * self.training.batch]
                self._step([self._varied(self.names[n], rng) for n in chosen], epoch * self.batches + i)
                tell(epoch * self.batches + i + 1)
            if (epoch + 1) % _EPOCHS_KEPT == 0:
                self._keep(epoch + 1)
        return self.network

    def _varied(self, name: str, rng: np.random.Generator) -> LayerImage:
        image = self.images[name]
        return image.turned(int(rng.integers(image.target.shape[0])), bool(rng.integers(2)))

    def _step(self, images: list[LayerImage], step: int) -> None:
        part = step / (self.training.epochs * self.batches)
        plain = self.training.loss == "paper"
        temperature = 1.0 if plain else COLD * (HOT / COLD) ** max(0.0, 1.0 - part / _COOLED)
        for group in self.optimiser.param_groups:
            group["lr"] = self.training.learning_rate * _rate(part)
        batch = batch_of(images)
        believed, times = chained if self.training.chain else independent, self.training.times
        beliefs = believed(self.network(batch.images), batch, times, temperature)
        loss = LOSSES[self.training.loss](beliefs, batch, times)
        if not plain:
            loss = loss - temperature * beliefs.entropy
        self.optimiser.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()

    def _keep(self, epoch: int) -> None:
        state = {
            "record": self.record,
            "epoch": epoch,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        with atomic_path(self.checkpoint) as beside:
            torch.save(state, beside)

    def _restored(self) -> int:
        """Epoch to go on with."""
        if not self.checkpoint.exists():
            return 0
        try:
            state = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:  # damaged archives raise errors of any type
            raise InputError("file", "damaged", "a checkpoint; delete it", self.checkpoint) from error
        _check_same(self.record, state["record"], self.checkpoint)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["epoch"])


def _rate(part: float) -> float:
    """Learning rate at a part of the training, relative to the largest one."""
    if part < _WARM_UP:
        return 0.04 + 0.96 * part / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (part - _WARM_UP) / (1.0 - _WARM_UP)))
