"""The command line: `vedit`. Nothing here imports torch before a command needs it."""

from vedit.cli.app import main as main
