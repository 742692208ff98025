"""Running a baseline by its name."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.config import registry
from spectrosim_search.config.errors import RunError

__all__ = ["combines", "every", "family", "revision", "run", "seeded", "title"]


def every() -> tuple[str, ...]:
    """What a study means by `all`: every member but the oracle, which joins by itself where the data are simulated."""
    return tuple(name for name in registry.names("baselines") if name != "oracle")


def title(name: str) -> str:
    """How a table names the baseline. Raises InputError for an unknown name."""
    return str(registry.load("baselines", name).TITLE)


def seeded(name: str) -> bool:
    """Whether the baseline draws by `BaselineInput.training_seed`: it is run once for each fold and seed, others once
    for each fold."""
    return bool(getattr(registry.load("baselines", name), "SEEDED", False))


def family(name: str) -> str:
    """Methods of one family share work on one input (`BaselineInput.shared`); empty: the baseline shares none."""
    return str(getattr(registry.load("baselines", name), "FAMILY", ""))


def combines(name: str) -> bool:
    """Whether the method takes the scores of others of its family, so that it had better be fitted after them."""
    return bool(getattr(registry.load("baselines", name), "COMBINES", False))


def revision(name: str, family: str = "baselines") -> int:
    """Part of the identity of stored fits: raised where a method's scores change, so that old and new never mix."""
    return int(getattr(registry.load(family, name), "REVISION", 0))


def run(name: str, data: BaselineInput) -> BaselineOutput:
    """Fit the baseline on the training rows and score all pairs.

    Raises InputError for an unknown name or data the baseline cannot take, RunError where a similarity is not a number.
    """
    output: BaselineOutput = registry.load("baselines", name).fit_score(data)
    for pairs, similarity in zip(data.pairs, output.similarities, strict=True):
        if similarity.shape != (len(pairs),) or not np.isfinite(similarity).all():
            raise RunError(f"baseline '{name}' gave similarities that are not finite numbers, one for each pair")
    return output
