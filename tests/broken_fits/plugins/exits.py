"""A script, not a module: it ends the program."""

import sys

sys.exit("usage: exits.py FILE")
