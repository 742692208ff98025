"""How much training a search spends until it has found what a plain study finds: replay of a recorded table.

    python -m benchmarks.search_efficiency record --data FILE --table FILE.db --minutes 60 [--share 0/2]
    python -m benchmarks.search_efficiency replay --table FILE.db [FILE.db …] [--trials 60] [--repetitions 200]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks._table import record
from spectrosim_search.search.run import prepare_study


def _record(asked: argparse.Namespace) -> None:
    import optuna

    from spectrosim_search.search.workers.trainer import Trainer

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = prepare_study(asked.study, data=asked.data, set_=asked.set, vary=asked.vary)
    trainer = Trainer(prepared.spectra, prepared.study, worker="recorder")
    first, every = (int(part) for part in asked.share.split("/"))
    count = record(
        asked.table,
        prepared.study,
        trainer,
        configurations=asked.configurations,
        minutes=asked.minutes,
        share=(first, every),
    )
    print(f"{count} complete configurations in {asked.table}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("record", help="record a table, or go on with it")
    one.add_argument("--data", default="", help="file of spectra; none: the embedded simulator")
    one.add_argument("--study", default="transformer", help="study whose space and protocol are taken")
    one.add_argument("--set", action="append", default=[], help="as for `spectrosim-search run`")
    one.add_argument("--vary", action="append", default=[], help="as for `spectrosim-search run`")
    one.add_argument("--table", type=Path, required=True, help="SQLite file the recording grows in")
    one.add_argument("--configurations", type=int, default=300)
    one.add_argument("--minutes", type=float, default=60.0, help="end after this time; the same command goes on")
    one.add_argument("--share", default="0/1", help="i/n: record every n-th configuration from the i-th on")
    one.set_defaults(run=_record)
    asked = parser.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
