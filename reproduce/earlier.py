"""Rows of the table of earlier implementations: their published settings, and ours with as many labels."""

from collections.abc import Mapping
from typing import NamedTuple

from reproduce.models import ModelRow

__all__ = ["CLAIMS", "EARLIER", "Claim"]

TWICE = ("--weights.softmax-twice",)


class Claim(NamedTuple):
    """What an earlier implementation publishes about a row.

    Attributes:
        accuracy: The published accuracy.
        where: Where it is published, and the images on which it was measured.
    """

    accuracy: str
    where: str


def _row(name: str, experiment: str, preset: str, epochs: int, title: str, flags: tuple[str, ...] = ()) -> ModelRow:
    return ModelRow(name, experiment, preset, epochs, title, (), flags=flags)


EARLIER = (
    _row("naresh", "semi_supervised", "naresh", 20, "Naresh1318, 1,000 labels"),
    _row("ours-1000", "semi_supervised", "default", 32, "ours, 1,000 labels"),
    _row("conan7882", "semi_supervised", "conan7882", 300, "conan7882, 1,280 labels"),
    _row("ours-1280", "semi_supervised", "default", 32, "ours, 1,280 labels", ("--labels", "1280")),
    _row("fducau", "semi_supervised", "fducau", 30, "fducau, 3,000 labels"),
    _row("fducau-softmax-twice", "semi_supervised", "fducau", 30, "fducau with softmax twice, as published", TWICE),
    _row("shaharazulay", "semi_supervised", "shaharazulay", 2, "shaharazulay, 3,000 labels"),
    _row(
        "shaharazulay-softmax-twice",
        "semi_supervised",
        "shaharazulay",
        2,
        "shaharazulay with softmax twice, as published",
        TWICE,
    ),
    _row("ours-3000", "semi_supervised", "default", 32, "ours, 3,000 labels", ("--labels", "3000")),
    _row("shaharazulay-clusters", "clustering", "shaharazulay", 35, "shaharazulay, 30 clusters, no labels"),
    _row("ours-clusters", "clustering", "default", 32, "ours, 30 clusters, no labels"),
    _row("hrenski", "label_regularized", "hrenski", 54, "hrenski, a part of the prior for each digit"),
    _row("ours-parts", "label_regularized", "default", 10, "ours, a part of the prior for each digit"),
)
CLAIMS: Mapping[str, Claim] = {
    "naresh": Claim("> 95 %", "article; its plot ends at about 94.5 %"),
    "conan7882": Claim("97.10 %", "README, test images"),
    "fducau": Claim("about 97 %", "blog, held-out training images"),
    "fducau-softmax-twice": Claim("about 97 %", "blog, held-out training images"),
    "shaharazulay": Claim("97 %", "README, held-out training images"),
    "shaharazulay-softmax-twice": Claim("97 %", "README, held-out training images"),
    "shaharazulay-clusters": Claim("85 %", "README; each cluster named by the images that are scored"),
    "hrenski": Claim("–", "pictures only"),
}
"""Claims of earlier implementations by row, as recalled from their repositories."""
