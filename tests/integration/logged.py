"""The command line as it is, with a log of every replicate a session trained.

``python -m tests.integration.logged LOG ARGUMENTS…`` appends ``phase key worker`` to LOG for each replicate that came
back from a worker, whether or not the database kept it: what was trained twice shows here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from spectrosim_search import cli, cli_display
from spectrosim_search.search.progress import Event, ReplicateDone


def main() -> None:
    """Run the command line with ProgressDisplay listening twice."""
    log, *arguments = sys.argv[1:]
    shown = cli_display.ProgressDisplay.event

    def event(self: cli_display.ProgressDisplay, happened: Event) -> None:
        if isinstance(happened, ReplicateDone):
            with Path(log).open("a", encoding="utf-8") as file:
                file.write(f"{happened.phase}\t{happened.key}\t{happened.worker}\n")
        shown(self, happened)

    cli_display.ProgressDisplay.event = event  # type: ignore[method-assign, assignment]
    sys.argv = ["spectrosim-search", *arguments]
    cli.main()


if __name__ == "__main__":
    main()
