"""The rival: the five-part step in PyTorch, as fast as we could write it. Spoken to by `serving`; needs torch, numpy.

What is computed once there is computed once here: the adversaries' codes for both discriminators and the generator,
no gradient of a network that its phase does not train, one batch for real and fake. Adam is torch's fused one,
denormals are flushed, and nothing is read back within a round.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from serving import serve
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

NETWORKS = ("encoder", "decoder", "discriminator_z", "discriminator_y")
PHASES = {
    "reconstruction": ("encoder", "decoder"),
    "discriminator_z": ("discriminator_z",),
    "discriminator_y": ("discriminator_y",),
    "generator": ("encoder",),
    "classification": ("encoder",),
}
Weights = list[Tensor]


def trunk(w: Weights, x: Tensor) -> Tensor:
    """Two hidden layers."""
    return F.relu(F.linear(F.relu(F.linear(x, w[0], w[1])), w[2], w[3]))


def encode(w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    """Style and label logits."""
    features = trunk(w, x)
    return F.linear(features, w[4], w[5]), F.linear(features, w[6], w[7])


def single(w: Weights, x: Tensor) -> Tensor:
    """One output layer on a trunk: decoder, discriminators."""
    return F.linear(trunk(w, x), w[4], w[5])


def reconstruction_loss(encoder: Weights, decoder: Weights, seen: Tensor, target: Tensor) -> Tensor:
    """Half the squared error, summed over pixels."""
    style, logits = encode(encoder, seen)
    decoded = torch.sigmoid(single(decoder, torch.cat([logits.softmax(1), style], 1)))
    return 0.5 * (decoded - target).square().sum() / len(target)


def discriminator_loss(discriminator: Weights, real: Tensor, fake: Tensor) -> Tensor:
    """Of the two halves of one batch."""
    logits = single(discriminator, torch.cat([real, fake]))[:, 0]
    return F.softplus(-logits[: len(real)]).mean() + F.softplus(logits[len(real) :]).mean()


def generator_loss(discriminator_z: Weights, discriminator_y: Weights, style: Tensor, label: Tensor) -> Tensor:
    """Non-saturating, against both."""
    loss_z = F.softplus(-single(discriminator_z, style)[:, 0]).mean()
    return loss_z + F.softplus(-single(discriminator_y, label)[:, 0]).mean()


def classification_loss(encoder: Weights, seen: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy; the style head is not computed."""
    features = trunk(encoder, seen)
    return F.cross_entropy(F.linear(features, encoder[6], encoder[7]), labels)


def adversaries_codes(encoder: Weights, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Style and softmax label, with their graph: for both discriminators, and for the generator."""
    style, logits = encode(encoder, seen)
    return style, logits.softmax(1)


class Rival:
    """Data, weights and optimizers of a run."""

    def __init__(self) -> None:
        """Wait for `setup`."""
        self.weights: dict[str, Weights] = {}

    def setup(
        self, *, variant: str, batch: int, threads: int, device: str = "cpu", width: int = 1000, pool: int = 10_000
    ) -> dict[str, Any]:
        """Draw data and weights; `variant`: eager, compile, reduce-overhead or cudagraph."""
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.device, self.batch, self.variant = torch.device(device), batch, variant
        self.pool = torch.randint(0, 256, (pool, 784), dtype=torch.uint8, device=self.device)
        self.labelled = torch.randint(0, 256, (1000, 784), dtype=torch.uint8, device=self.device)
        self.labels = torch.randint(0, 10, (1000,), device=self.device)
        sizes = {
            "encoder": [(width, 784), (width, width), (10, width), (10, width)],
            "decoder": [(width, 20), (width, width), (784, width)],
            "discriminator_z": [(width, 10), (width, width), (1, width)],
            "discriminator_y": [(width, 10), (width, width), (1, width)],
        }
        self._take(
            {
                name: [
                    array
                    for rows, columns in shapes
                    for array in (torch.randn(rows, columns) * (2 / columns) ** 0.5, torch.zeros(rows))
                ]
                for name, shapes in sizes.items()
            }
        )
        self._compile(variant)
        return {"torch": torch.__version__, "device": self._device_name()}

    def _device_name(self) -> str:
        return torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"

    def _take(self, weights: dict[str, Weights]) -> None:
        self.weights = {
            name: [self._placed(w.to(self.device)).requires_grad_(True) for w in ws] for name, ws in weights.items()
        }
        capturable = self.variant == "cudagraph"
        self.trained = {phase: [w for name in names for w in self.weights[name]] for phase, names in PHASES.items()}
        betas = {phase: 0.9 if phase in ("reconstruction", "classification") else 0.5 for phase in PHASES}
        self.optimizers = {
            phase: torch.optim.Adam(ws, lr=1e-3, betas=(betas[phase], 0.999), fused=True, capturable=capturable)
            for phase, ws in self.trained.items()
        }

    def _placed(self, w: Tensor) -> Tensor:
        return w.contiguous()

    def _losses(self) -> list[Callable[..., Any]]:
        return [reconstruction_loss, discriminator_loss, generator_loss, classification_loss, adversaries_codes]

    def _compile(self, variant: str) -> None:
        mode = {"compile": "default", "reduce-overhead": "reduce-overhead"}.get(variant)
        self.losses: dict[str, Callable[..., Any]] = {
            f.__name__: f if mode is None else torch.compile(f, mode=mode, dynamic=False) for f in self._losses()
        }
        self.graph: Any = None

    def _move(self, phase: str, loss: Tensor) -> None:
        ws = self.trained[phase]
        gradients = torch.autograd.grad(loss, ws, allow_unused=True)
        for w, gradient in zip(ws, gradients, strict=True):
            w.grad = torch.zeros_like(w) if gradient is None else gradient  # the style head in classification
        self.optimizers[phase].step()

    def step(
        self, images: Tensor, labelled: Tensor, labels: Tensor, real_z: Tensor, real_y: Tensor, noise: float
    ) -> None:
        """One update."""
        if self.variant == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        w, losses = self.weights, self.losses

        def noisy(x: Tensor) -> Tensor:
            return x + noise * torch.randn_like(x)

        self._move("reconstruction", losses["reconstruction_loss"](w["encoder"], w["decoder"], noisy(images), images))
        style, label = losses["adversaries_codes"](w["encoder"], noisy(images))
        for phase, real, fake in (("discriminator_z", real_z, style), ("discriminator_y", real_y, label)):
            self._move(phase, losses["discriminator_loss"](w[phase], real, fake.detach()))
        loss = losses["generator_loss"](w["discriminator_z"], w["discriminator_y"], style, label)
        self._move("generator", loss)
        self._move("classification", losses["classification_loss"](w["encoder"], noisy(labelled), labels))

    def _drawn_step(self, rows: Tensor, labelled_rows: Tensor) -> None:
        images, labelled = self._scaled(self.pool[rows]), self._scaled(self.labelled[labelled_rows])
        real_z = torch.randn(self.batch, 10, device=self.device)
        real_y = F.one_hot(torch.randint(0, 10, (self.batch,), device=self.device), 10).float()
        self.step(images, labelled, self.labels[labelled_rows], real_z, real_y, 0.3)

    def _scaled(self, images: Tensor) -> Tensor:
        return images.float() / 255

    def run(self, *, updates: int) -> float:
        """Make `updates` updates of freshly drawn batches and return the seconds they took."""
        per_epoch = len(self.pool) // self.batch
        orders = [torch.randperm(len(self.pool), device=self.device) for _ in range(-(-updates // per_epoch))]
        rows = torch.cat([order[: per_epoch * self.batch] for order in orders]).view(-1, self.batch)
        labelled = torch.randint(0, len(self.labels), (updates, self.batch), device=self.device)
        step = self._captured if self.variant == "cudagraph" else self._drawn_step
        self._wait()
        begun = time.perf_counter()
        for i in range(updates):
            step(rows[i], labelled[i])
        self._wait()
        return time.perf_counter() - begun

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _captured(self, rows: Tensor, labelled_rows: Tensor) -> None:
        """Replay the whole update as one CUDA graph."""
        if self.graph is None:
            self.rows, self.labelled_rows = rows.clone(), labelled_rows.clone()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._drawn_step(self.rows, self.labelled_rows)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._drawn_step(self.rows, self.labelled_rows)
        self.rows.copy_(rows)
        self.labelled_rows.copy_(labelled_rows)
        self.graph.replay()

    def compare(self, *, path: str, optimizer: str) -> dict[str, float]:
        """Train from a file's weights on its batches; return each network's distance from its result.

        In units of how far the network has moved; `optimizer` is adam, or sgd at the rate 0.03 without momentum.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files}

        def of(prefix: str) -> dict[str, Weights]:
            return {
                name: [arrays[f"{prefix}/{name}/{i}"].clone() for i in range(len(ws))]
                for name, ws in self.weights.items()
            }

        self._take(of("before"))
        if optimizer == "sgd":
            self.optimizers = {phase: torch.optim.SGD(ws, lr=0.03) for phase, ws in self.trained.items()}
        self._compile(self.variant if self.variant != "cudagraph" else "eager")
        to = self.device
        for i in range(len(arrays["images"])):
            names = ("images", "labelled", "labels", "real_z", "real_y")
            self.step(*(arrays[name][i].to(to) for name in names), noise=0.0)
        before, after = of("before"), of("after")

        def norm(differences: list[Tensor]) -> float:
            return float(sum(d.double().square().sum() for d in differences) ** 0.5)

        return {
            name: norm([a.detach().cpu() - b for a, b in zip(self.weights[name], after[name], strict=True)])
            / norm([b - a for a, b in zip(before[name], after[name], strict=True)])
            for name in NETWORKS
        }

    def matrix_rate(self, *, rows: int, inner: int, columns: int, repeats: int) -> float:
        """Return the FLOP/s of a float32 matrix product of this library."""
        left = torch.randn(rows, inner, device=self.device)
        rights = [torch.randn(inner, columns, device=self.device) for _ in range(8)]
        best = float("inf")
        for _ in range(3):
            self._wait()
            begun = time.perf_counter()
            for i in range(repeats):
                left @ rights[i % 8]
            self._wait()
            best = min(best, (time.perf_counter() - begun) / repeats)
        return 2 * rows * inner * columns / best


if __name__ == "__main__":
    rival = Rival()
    commands = {
        "setup": rival.setup,
        "run": rival.run,
        "compare": rival.compare,
        "matrix_rate": rival.matrix_rate,
    }
    sys.exit(serve(commands))
