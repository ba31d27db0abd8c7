"""The convolutional rival: `torch_worker` with strided convolutions before, and sub-pixel ones after, a hidden layer.

Images are `[batch, colours, height, width]`, in that order in memory or with the channels last; `bfloat16` is
PyTorch's autocast. Timed networks pad symmetrically, which PyTorch does without a copy; the comparison pads as ours.
"""

import itertools
import sys
from typing import Any

import torch
from serving import serve
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch_worker import Rival, Weights

CODE = 10
"""Numbers of a style, and classes."""


def halvings(side: int, times: int) -> list[int]:
    """Return a side and its halvings, rounded up."""
    sides = [side]
    for _ in range(times):
        sides.append(-(-sides[-1] // 2))
    return sides


class ConvLosses:
    """Losses of the five phases, with the signatures of those of `torch_worker`."""

    def __init__(self, shape: tuple[int, int, int], channels: tuple[int, ...], **options: bool) -> None:
        """Take `[height, width, colours]`, maps of the encoder, and `channels_last`, `autocast`, `as_ours`."""
        height, width, _ = shape
        self.sides = list(zip(halvings(height, len(channels)), halvings(width, len(channels)), strict=True))
        self.channels = channels
        self.channels_last, self.autocast, self.as_ours = (
            options[name] for name in ("channels_last", "autocast", "as_ours")
        )

    def precision(self) -> Any:
        """Return the context in which networks are applied."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast)

    def features(self, w: Weights, x: Tensor) -> Tensor:
        """Convolutions that halve the sides, and the hidden layer."""
        for i, (height, width) in enumerate(self.sides[:-1]):
            if self.as_ours:
                x = F.conv2d(F.pad(x, (width % 2, 1, height % 2, 1)), w[2 * i], w[2 * i + 1], stride=2)
            else:
                x = F.conv2d(x, w[2 * i], w[2 * i + 1], stride=2, padding=1)
            x = F.relu(x)
        x = x.permute(0, 2, 3, 1).flatten(1) if self.channels_last else x.flatten(1)
        return F.relu(F.linear(x, w[-6], w[-5]))

    def encode(self, w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
        """Style and label logits."""
        features = self.features(w, x)
        return F.linear(features, w[-4], w[-3]).float(), F.linear(features, w[-2], w[-1]).float()

    def decode(self, w: Weights, x: Tensor) -> Tensor:
        """Two hidden layers, and convolutions that double the sides."""
        flat = F.relu(F.linear(F.relu(F.linear(x, w[0], w[1])), w[2], w[3]))
        (height, width), maps = self.sides[-1], self.channels[-1]
        if self.channels_last:
            x = flat.view(-1, height, width, maps).permute(0, 3, 1, 2)
        else:
            x = flat.view(-1, maps, height, width)
        for i, (height, width) in enumerate(reversed(self.sides[:-1])):
            x = F.pixel_shuffle(F.conv2d(x, w[4 + 2 * i], w[5 + 2 * i], padding=1), 2)[:, :, :height, :width]
            x = x if i == len(self.channels) - 1 else F.relu(x)
        return x.float()

    def discriminate(self, w: Weights, x: Tensor) -> Tensor:
        """Logits of a discriminator."""
        hidden = F.relu(F.linear(F.relu(F.linear(x, w[0], w[1])), w[2], w[3]))
        return F.linear(hidden, w[4], w[5]).float()[:, 0]

    def reconstruction_loss(self, encoder: Weights, decoder: Weights, seen: Tensor, target: Tensor) -> Tensor:
        """Half the squared error, summed over pixels."""
        with self.precision():
            style, logits = self.encode(encoder, seen)
            decoded = self.decode(decoder, torch.cat([logits.softmax(1), style], 1))
        return 0.5 * (torch.sigmoid(decoded) - target).square().sum() / len(target)

    def discriminator_loss(self, discriminator: Weights, real: Tensor, fake: Tensor) -> Tensor:
        """Of the two halves of one batch."""
        with self.precision():
            logits = self.discriminate(discriminator, torch.cat([real, fake]))
        return F.softplus(-logits[: len(real)]).mean() + F.softplus(logits[len(real) :]).mean()

    def generator_loss(self, judge_z: Weights, judge_y: Weights, style: Tensor, label: Tensor) -> Tensor:
        """Non-saturating, against both."""
        with self.precision():
            logits_z, logits_y = self.discriminate(judge_z, style), self.discriminate(judge_y, label)
        return F.softplus(-logits_z).mean() + F.softplus(-logits_y).mean()

    def classification_loss(self, encoder: Weights, seen: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy; the style head is not computed."""
        with self.precision():
            logits = F.linear(self.features(encoder, seen), encoder[-2], encoder[-1]).float()
        return F.cross_entropy(logits, labels)

    def adversaries_codes(self, encoder: Weights, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Style and softmax label, with their graph: for both discriminators, and for the generator."""
        with self.precision():
            style, logits = self.encode(encoder, seen)
        return style, logits.softmax(1)


class ConvRival(Rival):
    """Data, weights and optimizers of a convolutional run."""

    def setup(  # type: ignore[override]
        self,
        *,
        variant: str,
        batch: int,
        threads: int,
        shape: list[int],
        channels: list[int],
        width: int = 256,
        pool: int = 10_000,
        channels_last: bool = True,
        precision: str = "float32",
        as_ours: bool = False,
    ) -> dict[str, Any]:
        """Draw data and weights; `variant`: eager or compile; `shape`: height, width, colours."""
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        self.device, self.batch, self.variant, self.channels_last = torch.device("cpu"), batch, variant, channels_last
        self.pool = torch.randint(0, 256, (pool, *shape), dtype=torch.uint8)
        self.labelled = torch.randint(0, 256, (1000, *shape), dtype=torch.uint8)
        self.labels = torch.randint(0, 10, (1000,))
        options = {"channels_last": channels_last, "autocast": precision == "bfloat16", "as_ours": as_ours}
        self.model = ConvLosses((shape[0], shape[1], shape[2]), tuple(channels), **options)
        self._take({name: self._drawn(sizes) for name, sizes in self._sizes(width, shape[2]).items()})
        self._compile(variant)
        return {"torch": torch.__version__, "device": "cpu"}

    def _sizes(self, width: int, colours: int) -> dict[str, list[tuple[int, ...]]]:
        """Return the shapes of the kernels and weight matrices of each network."""
        maps, (height, across) = (colours, *self.model.channels), self.model.sides[-1]
        flat = maps[-1] * height * across
        down = [(after, before, 3, 3) for before, after in itertools.pairwise(maps)]
        up = [(4 * after, before, 3, 3) for after, before in itertools.pairwise(maps)][::-1]
        judge: list[tuple[int, ...]] = [(width, CODE), (width, width), (1, width)]
        return {
            "encoder": [*down, (width, flat), (CODE, width), (CODE, width)],
            "decoder": [(width, 2 * CODE), (flat, width), *up],
            "discriminator_z": judge,
            "discriminator_y": judge,
        }

    @staticmethod
    def _drawn(sizes: list[tuple[int, ...]]) -> Weights:
        drawn = []
        for size in sizes:
            inputs = size[1] * (9 if len(size) == 4 else 1)
            drawn += [torch.randn(*size) * (2 / inputs) ** 0.5, torch.zeros(size[0])]
        return drawn

    def _placed(self, w: Tensor) -> Tensor:
        if w.dim() == 4 and self.channels_last:
            return w.contiguous(memory_format=torch.channels_last)
        return w.contiguous()

    def _losses(self) -> list[Any]:
        model = self.model
        return [
            model.reconstruction_loss,
            model.discriminator_loss,
            model.generator_loss,
            model.classification_loss,
            model.adversaries_codes,
        ]

    def _scaled(self, images: Tensor) -> Tensor:
        images = (images.float() / 255).permute(0, 3, 1, 2)
        return images if self.channels_last else images.contiguous()


if __name__ == "__main__":
    rival = ConvRival()
    sys.exit(serve({"setup": rival.setup, "run": rival.run, "compare": rival.compare}))
