"""Options of the commands that load a data set themselves."""

from dataclasses import dataclass

from aae_jax.data import Dataset, load_dataset
from aae_jax.run.console import Console, DataReporter

__all__ = ["DataOptions"]


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """A data set, as for training."""

    dataset: str = "auto"
    """Data set, as for training."""
    data_dir: str | None = None
    """Folder for data. Also from $AAE_DATA_DIR."""
    image_size: tuple[int, ...] = ()
    """Height and width that image files are scaled to, as for training."""
    split_seed: int = 0
    """Seed of the test set of data without one."""
    skip_bad_images: bool = False
    """Leave out image files that cannot be read."""

    def load(self) -> Dataset:
        """Load the data set, with messages on the console.

        Raises:
            InputError: See `load_dataset`.
        """
        return load_dataset(
            self.dataset,
            data_dir=self.data_dir,
            split_seed=self.split_seed,
            image_size=self.image_size,
            skip_bad_images=self.skip_bad_images,
            reporter=DataReporter(Console()),
        )
