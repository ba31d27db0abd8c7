"""Sizes and repetitions of `run.py`."""

from typing import NamedTuple

__all__ = ["Scale", "choose_scale"]


class Scale(NamedTuple):
    """Sizes and repetitions of a call.

    Attributes:
        width: Units of a hidden layer.
        batches: Images an update, each timed.
        images: Pool images that a timed call of one seed visits.
        rounds: Turns of the contenders; `floor_rounds` and `seeds_rounds` those of the other sections.
        repeats: Times that a product or the optimizer alone is run; the least time counts.
        seeds: Trained by one program, `seeds_updates` updates a call.
        complete: Whether one thread, torch.compile and the default preset are timed too.
    """

    width: int = 1000
    batches: tuple[int, ...] = (100, 1000)
    images: int = 6000
    rounds: int = 5
    floor_rounds: int = 3
    repeats: int = 10
    seeds: int = 8
    # The state of all seeds is copied once a call: as in a run, a call is hundreds of updates.
    seeds_updates: int = 150
    seeds_rounds: int = 4
    complete: bool = True


def choose_scale(*, quick: bool, toy: bool) -> Scale:
    """Return the sizes and repetitions of `--quick` and `--toy`."""
    scale = Scale()
    if quick:
        scale = Scale(
            batches=(100,),
            images=2000,
            rounds=3,
            floor_rounds=1,
            repeats=3,
            seeds=2,
            seeds_updates=10,
            seeds_rounds=2,
            complete=False,
        )
    if toy:
        few = {"rounds": 2, "floor_rounds": 1, "repeats": 1, "seeds_updates": 2, "seeds_rounds": 1}
        scale = scale._replace(width=16, images=400, **few)
    return scale
