"""Rows of the table of earlier implementations: their published settings, and ours with as many labels."""

from collections.abc import Mapping
from typing import NamedTuple

from reproduce.models import ModelRow

__all__ = ["CLAIMS", "EARLIER", "Claim"]

TWICE = ("--weights.softmax-twice",)


class Claim(NamedTuple):
    """What an earlier implementation publishes about a row.

    Attributes:
        accuracy: The published figure.
        where: Where it is published, and on which images it is measured.
        ours: Row of this table, or of the table `models`, trained by our recipe with as many labels.
    """

    accuracy: str
    where: str
    ours: str


EARLIER = (
    ModelRow("naresh", "semi_supervised", "naresh", 20, "Naresh1318, 1,000 labels", ()),
    ModelRow("fducau", "semi_supervised", "fducau", 30, "fducau, 3,000 labels", ()),
    ModelRow(
        "fducau-softmax-twice", "semi_supervised", "fducau", 30, "fducau with its softmax twice", (), flags=TWICE
    ),
    ModelRow("shaharazulay", "semi_supervised", "shaharazulay", 2, "shaharazulay, 3,000 labels", ()),
    ModelRow(
        "shaharazulay-softmax-twice",
        "semi_supervised",
        "shaharazulay",
        2,
        "shaharazulay with its softmax twice",
        (),
        flags=TWICE,
    ),
    ModelRow("conan7882", "semi_supervised", "conan7882", 300, "conan7882, 1,280 labels", ()),
    ModelRow("shaharazulay-clusters", "clustering", "shaharazulay", 35, "shaharazulay, 30 clusters, no labels", ()),
    ModelRow("hrenski", "label_regularized", "hrenski", 54, "hrenski, a part of the prior for each digit", ()),
    ModelRow("ours-1000", "semi_supervised", "default", 32, "ours, 1,000 labels", ()),
    ModelRow("ours-3000", "semi_supervised", "default", 32, "ours, 3,000 labels", (), flags=("--labels", "3000")),
)
CLAIMS: Mapping[str, Claim] = {
    "naresh": Claim("> 95 %", "its article, on MNIST's validation images", "ours-1000"),
    "fducau": Claim("about 97 %", "its plot, on 10,000 training images held out", "ours-3000"),
    "shaharazulay": Claim("97 %", "its README, on 10,000 training images held out", "ours-3000"),
    "conan7882": Claim("97.10 %", "its README, on the test images", "ours-1000"),
    "shaharazulay-clusters": Claim(
        "85 %", "its README, by majority of the images that are also scored", "clustering-30"
    ),
    "hrenski": Claim("none", "pictures only", "label-regularized"),
}
"""By row; the claims are as recalled from the repositories."""
