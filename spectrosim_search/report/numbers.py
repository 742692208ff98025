"""How numbers are written for people: scores as ``.874``, intervals as ``.874 [.812, .921]``, undefined as ``n/a``."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.evaluation.scores import Estimate

__all__ = ["METRICS", "count", "date", "duration", "interval", "metric_title", "p_value", "scalar", "score", "signed"]

METRICS = {
    "matched_auc": "matched-label AUC",
    "auc": "AUC, all pairs",
    "balanced_accuracy": "balanced accuracy",
    "eer": "equal error rate",
    "average_precision": "average precision at prevalence .02",
    "mcc": "MCC at prevalence .02",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mixture_2_all_right": "mixtures of 2, all components right",
    "mixture_3_all_right": "mixtures of 3, all components right",
    "mixture_4_all_right": "mixtures of 4, all components right",
}


def metric_title(name: str) -> str:
    """Return the words for a metric; unknown names are given back with spaces."""
    return METRICS.get(name, name.replace("_", " "))


def score(value: float | None, digits: int = 3) -> str:
    """Write a score without its leading zero: ``.874``, ``1.000``, ``-.120``; ``n/a`` where undefined."""
    if value is None or not math.isfinite(value):
        return "n/a"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(value: float | None, digits: int = 3) -> str:
    """Write a difference with its sign: ``+.031``, ``-.004``."""
    text = score(value, digits)
    return text if text == "n/a" or text.startswith("-") else f"+{text}"


def interval(estimate: Estimate | None, *, difference: bool = False) -> str:
    """Write an estimate with its 95 % interval, or the value alone where no interval is known."""
    if estimate is None or not math.isfinite(estimate.value):
        return "n/a"
    write = signed if difference else score
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return write(estimate.value)
    return f"{write(estimate.value)} [{write(estimate.low)}, {write(estimate.high)}]"


def p_value(value: float) -> str:
    """Write a p value; ``n/a`` where nothing was tested."""
    if not math.isfinite(value):
        return "n/a"
    if value < 0.001:
        return "< .001"
    return score(value, 3 if value < 0.1 else 2)


def count(value: float) -> str:
    """Write a whole number with thin groups of thousands: ``50,000``."""
    return f"{int(value):,}"


def duration(seconds: float) -> str:
    """Write a duration: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if not math.isfinite(seconds):
        return "n/a"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def date(seconds: float) -> str:
    """Write a time stamp (seconds since the epoch) in UTC, to the minute."""
    if not math.isfinite(seconds):
        return "n/a"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def scalar(value: Scalar | None) -> str:
    """Write a configuration value in at most four significant digits; whole numbers and text stay as they are."""
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
