"""``python -m agent`` is the ``expert`` command."""

from agent.cli import main

main()
