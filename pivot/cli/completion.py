"""Completion in shells; loaded only when a shell asks for it, or for the script that asks.

The scripts are our own: names of stages have `@` in them, at which bash would begin new words, and
outputs may have blanks, commas and stars, which must arrive as they are.
"""

from __future__ import annotations

from click.shell_completion import BashComplete, FishComplete, ZshComplete, add_completion_class

NAMES = ("pivot", "pivot-remote")
"""What the command is called where it is installed."""

_BASH = r"""
COMP_WORDBREAKS=${COMP_WORDBREAKS//@}
_pivot_completion() {
    local line value word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        value=${line#*,}
        case ${line%%,*} in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                [[ $word == [\'\"]* ]] || printf -v value %q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(IFS=$'\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
        _PIVOT_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _pivot_completion @NAMES@ 2>/dev/null ||
    complete -F _pivot_completion @NAMES@
"""

_ZSH = r"""
#compdef @NAMES@
_pivot_completion() {
    local -a plain told response
    local type key descr
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
        _PIVOT_COMPLETE=zsh_complete ${~words[1]} 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            plain) if [[ $descr == _ ]]; then plain+=("$key"); else told+=("$key:$descr"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    (( $#told )) && _describe -V unsorted told -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _pivot_completion "$@"
else
    compdef _pivot_completion @NAMES@
fi
"""

_FISH = r"""
function __pivot_completion
    set -l words (commandline -opc)
    set -l typed (commandline -cp | string collect)
    set -l last (commandline -ct | string collect)
    set -l response (env COMP_WORDS="$typed" COMP_CWORD="$last" \
        _PIVOT_COMPLETE=fish_complete $words[1] 2>/dev/null)
    for line in $response
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo -- $parts[2]
        end
    end
end
"""
_FISH_COMMAND = "complete --no-files --command {} --arguments '(__pivot_completion)'\n"


class _Bash(BashComplete):
    def source(self) -> str:
        return script("bash", NAMES)


class _Zsh(ZshComplete):
    def source(self) -> str:
        return script("zsh", NAMES)


class _Fish(FishComplete):
    def source(self) -> str:
        return script("fish", NAMES)


def register() -> None:
    """Let click use our scripts."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)


def script(shell: str, names: tuple[str, ...]) -> str:
    """Write what makes *shell* complete the commands *names*."""
    if shell == "fish":
        return _FISH.lstrip() + "".join(map(_FISH_COMMAND.format, names))
    return {"bash": _BASH, "zsh": _ZSH}[shell].lstrip().replace("@NAMES@", " ".join(names))
