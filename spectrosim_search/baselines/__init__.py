"""Methods that need no search: one module each, with ``TITLE`` and ``fit_score(BaselineInput) -> BaselineOutput``.

Everything is fitted on training rows; settings are chosen by inner grouped folds of the training rows.
``SEEDED = True``: the method draws by the training seed. ``DIRECTED = True``: its score depends on which spectrum of
a pair comes first. ``FAMILY``: methods with the same one share work where they are fitted on the same input.
``COMBINES = True``: it takes the scores of the others of its family.
``REVISION``: a number raised where scores change, so that a study never mixes them with stored ones.
"""

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._run import combines, every, family, revision, run, seeded, title

__all__ = ["BaselineInput", "BaselineOutput", "combines", "every", "family", "revision", "run", "seeded", "title"]
