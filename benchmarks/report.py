"""What `globalfit report` costs: shares of its parts, and the size of its page.

    python benchmarks/report.py CHAIN...

The share of the verdict is what `globalfit summary` costs too.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise

from globalfit.chains.chain import Chain
from globalfit.report.page import drawings, page, report

PARTS = ("open and verdict", "predictions", "figures", "page")


def main() -> None:
    """Print one line a chain, in processor time."""
    for name in sys.argv[1:]:
        marks = [time.process_time()]
        chain = Chain.open(name)
        _ = chain.verdict
        marks.append(time.process_time())
        found = report(chain)
        marks.append(time.process_time())
        figures = list(drawings(found))
        marks.append(time.process_time())
        text = page(found, figures)
        marks.append(time.process_time())
        total = marks[-1] - marks[0]
        took = [later - earlier for earlier, later in pairwise(marks)]
        shares = ", ".join(f"{part} {each / total:.0%}" for part, each in zip(PARTS, took, strict=True))
        samples, size = chain.steps * chain.walkers, len(text.encode()) / 1e6
        print(f"{name}: {samples} samples, {total:.1f} s ({shares}), {size:.2f} MB")


if __name__ == "__main__":
    main()
