"""`python -m bench [name ...]`: measure this machine; figures go to docs/benchmarks, of short runs to .build/bench."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence

from rich.console import Console

from bench import record, tables
from bench.figures import Outcome, outcome
from bench.interleave import interleave
from bench.suite import Suite
from bench.suites import SUITES

QUICK_ROUNDS = 1
LOG_COLUMNS = 160


def main() -> None:
    arguments = parse()
    rounds = QUICK_ROUNDS if arguments.quick else arguments.rounds
    console, setting = Console(width=None if sys.stdout.isatty() else LOG_COLUMNS), record.Setting.of_now()
    folder = record.folder_for(rounds, arguments.quick)
    broken: list[str] = []
    for name in arguments.names:
        try:
            _measure(SUITES[name], rounds, arguments.quick, setting, console)
        except Exception:
            # The other benches' figures are worth having.
            broken.append(name)
            console.print(f"{name} could not be measured:\n{traceback.format_exc()}", markup=False)
    console.print(f"tables: {tables.write_readme(folder)}", markup=False)
    if broken:
        sys.exit(f"not measured: {', '.join(broken)}")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Exits with what to write instead if it can't be followed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition(": ")[2])
    about = "; ".join(f"{name}: {suite.title}" for name, suite in SUITES.items())
    # Without `choices`: argparse takes the empty list of no names for a wrong one.
    parser.add_argument("names", nargs="*", metavar="name", help=f"which, all by default. {about}")
    parser.add_argument("--rounds", type=int, default=record.PUBLISHED_ROUNDS, help="fewer than %(default)s are a trial")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    arguments = parser.parse_args(words)
    arguments.names = arguments.names or [*SUITES]
    if unknown := [name for name in arguments.names if name not in SUITES]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(SUITES)}")
    if arguments.rounds < 1:
        parser.error("--rounds needs at least 1")
    return arguments


def _measure(suite: Suite, rounds: int, quick: bool, setting: record.Setting, console: Console) -> None:
    begin, load_before = time.monotonic(), os.getloadavg()[0]
    console.print(f"{suite.name}: preparing", markup=False)
    with suite.prepare(quick) as plan:
        for arm, why in plan.absent.items():
            console.print(f"{suite.name}: without {arm}: {why}", markup=False)
        measured = interleave(plan.arms, rounds, lambda said: console.print(f"{suite.name}: {said}", markup=False))
    outcomes: list[Outcome] = [outcome(figure, measured, plan.absent) for figure in suite.figures]
    document = record.document(suite, setting, plan, measured, outcomes, load_before)
    tables.show(document, console)
    path = record.write(record.folder_for(rounds, quick), document)
    console.print(f"{suite.name}: {time.monotonic() - begin:.0f} s, written to {path}", markup=False)


if __name__ == "__main__":
    main()
