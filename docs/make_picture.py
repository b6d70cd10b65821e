"""Draw docs/answers.svg, the picture in the README, from what asking prints.

python docs/make_picture.py WORKSPACE "question" …
"""

import io
import sys
from pathlib import Path

from rich.console import Console

from agent.cli.display import print_reply
from agent.expert import Expert
from agent.workspace import Workspace

if __name__ == "__main__":
    console = Console(
        record=True, width=100, highlight=False, force_terminal=True, file=io.StringIO()
    )
    with Expert(Workspace(Path(sys.argv[1]))) as expert:
        for question in sys.argv[2:]:
            console.print(f'[bold green]$[/] expert ask "{question}"')
            print_reply(console, expert.ask(question))
            console.print()
    console.save_svg(str(Path(__file__).with_name("answers.svg")), title="Phi Expert")
