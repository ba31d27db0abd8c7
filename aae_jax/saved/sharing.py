"""What a model does with files and hubs."""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from aae_jax.networks import NO_MODULES, Modules
from aae_jax.saved.card import model_card
from aae_jax.saved.views import html_of
from aae_jax.saved.writing import save_model

__all__ = ["Shared"]


class Shared:
    """Base of `Model`: saving, model cards, hubs."""

    def _repr_html_(self) -> str:
        return html_of(self)

    def save(self, path: str | os.PathLike[str], *, weights: str = "float32") -> None:
        """Write the model into the folder `path`, for `load`: see `save_model`."""
        save_model(self, path, weights=weights)

    def card(self, summary: Mapping[str, Any] | None = None) -> str:
        """Return the model card, in Markdown: see `aae_jax.saved.card.model_card`."""
        return model_card(self, summary)

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, modules: Modules = NO_MODULES, **options: Any) -> Any:
        """Load a model: from a folder, one that comes with the library ("pretrained:NAME"), or from a hub.

        Args:
            name: What `load` takes, or "OWNER/NAME" of a repository of a model hub (extra `hub`).
            modules: See `load`.
            **options: Of a hub: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only`.

        Raises:
            InputError: There is no such model.
        """
        return _hub().from_anywhere(name, modules=modules, **options)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        summary: Mapping[str, Any] | None = None,
        weights: str = "float32",
        **options: Any,
    ) -> str:
        """Upload the model with its card to the repository "OWNER/NAME", and return the address of the commit.

        Args:
            repo_id: The repository, which is made if there is none.
            summary: For the card: `Run.summary`.
            weights: See `save_model`.
            **options: As of huggingface_hub: `private`, `token`, `branch`, `commit_message`, `create_pr`.

        Raises:
            InputError: huggingface_hub (extra `hub`) is not installed, or the hub refuses.
        """
        address: str = _hub().push_to_hub(self, repo_id, summary=summary, weights=weights, **options)
        return address


def _hub() -> Any:
    """Return the module that loads models, which imports `Model`, when it is wanted."""
    return importlib.import_module("aae_jax.saved.hub")
