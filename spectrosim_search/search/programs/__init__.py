"""What is trained and judged where the question is not "same batch": one module for each task of a study.

A member holds its ``Settings`` (frozen dataclass: the ``program`` section of a configuration) and the functions that
:mod:`spectrosim_search.search.programs._contract` describes.
"""

from spectrosim_search.search.programs._contract import ProgramResult, ProgramTask, trains_encoder

__all__ = ["ProgramResult", "ProgramTask", "trains_encoder"]
