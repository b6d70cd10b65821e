"""Draw docs/search.svg, the picture in the README, from what a search prints.

python docs/make_picture.py WORKSPACE "question"
"""

import io
import sys
from pathlib import Path

from rich.console import Console

from agent.assemble import open_pipeline
from agent.cli.display import print_hit
from agent.workspace import Workspace
from pipelines.search import search

if __name__ == "__main__":
    workspace, question = Workspace(Path(sys.argv[1])), sys.argv[2]
    console = Console(record=True, width=100, highlight=False, file=io.StringIO())
    console.print(f'[bold green]$[/] expert search "{question}" --top-k 2\n')
    with open_pipeline(workspace) as pipeline:
        for number, hit in enumerate(search(pipeline, question, top_k=2), 1):
            print_hit(console, hit, number)
    console.save_svg(str(Path(__file__).with_name("search.svg")), title="Phi Expert")
