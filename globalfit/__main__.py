"""``python -m globalfit``: the same as the ``globalfit`` command."""

from __future__ import annotations

from globalfit.cli import main

if __name__ == "__main__":
    main()
