"""`myceld completion SHELL`: the script that has a shell complete commands, options and values."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from cli import show
from cli.options import json_option

_SHELLS: Final = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_INSTALL: Final = {
    "bash": "myceld completion bash > ~/.local/share/bash-completion/completions/myceld",
    "zsh": "myceld completion zsh > ~/.zfunc/_myceld   # with fpath+=(~/.zfunc) before compinit",
    "fish": "myceld completion fish > ~/.config/fish/completions/myceld.fish",
}
_MENDED: Final = {
    # Of a description with a comma fish showed what is before it.
    'string split ","': 'string split --max 1 ","',
    # zsh completed once and not the second time: only its first call is one that loads the file.
    "$zsh_eval_context[-1] == loadautofunc": "$funcstack[1] == _myceld",
}
"""What is wrong in click's scripts; a test runs them in the real shells."""

_VARIABLE: Final = "_MYCELD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@json_option
def completion(shell: str, *, as_json: bool) -> None:
    """Print the script that completes commands, options and values in a shell.

    The first line of the script says how to have it for good.

    \b
    Examples:
      eval "$(myceld completion bash)"      for this shell only
      myceld completion bash > ~/.local/share/bash-completion/completions/myceld
      myceld completion zsh > ~/.zfunc/_myceld
      myceld completion fish > ~/.config/fish/completions/myceld.fish
    """
    script = script_of(shell)
    if as_json:
        show.as_json({"shell": shell, "script": script, "install": _INSTALL[shell]})
    else:
        show.line(script)


def script_of(shell: str) -> str:
    """Return the script of a shell."""
    names = {
        "complete_func": "_myceld_completion",
        "complete_var": _VARIABLE,
        "prog_name": "myceld",
    }
    text = (_SHELLS[shell].source_template % names).strip()
    for wrong, right in _MENDED.items():
        text = text.replace(wrong, right)
    head, newline, rest = text.partition("\n")
    hint = f"# For good: {_INSTALL[shell]}"
    # zsh reads what to complete from the first line.
    is_first_fixed = head.startswith("#compdef")
    return f"{head}\n{hint}{newline}{rest}" if is_first_fixed else f"{hint}\n{text}"
