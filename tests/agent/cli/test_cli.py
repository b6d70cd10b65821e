import subprocess
import sys
from collections.abc import Callable

import pytest

from agent.cli import _COMMANDS, _LazyGroup, cli

Expert = Callable[..., object]


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys; from agent.cli import run; run(['--help']); "
        "print([m for m in ('haystack', 'rich', 'numpy', 'agent.cli.index') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in _COMMANDS)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_with_an_example(name: str, expert: Expert) -> None:
    assert isinstance(cli, _LazyGroup)
    shown = expert(name, "--help")
    assert shown.code == 0
    assert "Usage: expert" in shown.out
    if name not in ("pipelines", "config"):
        assert "Example" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serach", "x"), "No such command 'serach'. Did you mean 'search'?"),
        (("search",), "Missing argument 'QUESTION'"),
        (("search", "  "), "the question is empty"),
        (("search", "x", "--top-k", "0"), "0 is not in the range"),
        (("search", "x", "--filter", "format"), "expected a field, a comparison and a value"),
        (("index",), "Missing argument"),
        (("index", "no/such/folder"), "no such file or folder: no/such/folder"),
        (("index", ".", "--table", "t"), "--table and --query need a database address"),
        (("index", "sqlite:///x.db", "--watch"), "--watch follows files, not databases"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(
    arguments: tuple[str, ...], message: str, expert: Expert
) -> None:
    result = expert(*arguments)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""


def test_searching_before_indexing_says_what_to_do(expert: Expert) -> None:
    result = expert("search", "anything")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "expert: nothing is indexed in workspace .expert: run `expert index PATH` first\n"
    )


def test_no_name_of_an_error_reaches_the_terminal_raw(expert: Expert) -> None:
    result = expert("eval", "gone\x1b[2J\x9b31m.jsonl")
    assert (result.code, result.err) == (1, "expert: gone.jsonl: No such file or directory\n")


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m agent config show | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
