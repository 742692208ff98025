"""Reference rows of tasks that name a class: one module each.

A member has ``TITLE``, ``SEEDED`` (whether it draws anything itself) and ``fit(given: ClassInput) -> ClassOutput``.
Settings are chosen on inner folds of the training rows only.
"""

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["ClassInput", "ClassOutput"]
