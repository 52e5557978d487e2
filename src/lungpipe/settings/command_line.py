"""Mistakes in the arguments of `snakemake` that Snakemake itself would answer with a traceback, as one line each.

The profile `profiles/default`, which every `snakemake` reads first, calls `refuse_mistakes`. The Snakefile calls
`refuse_targets` with the names of its rules.
"""

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from lungpipe.settings.explain import NEAR, RECIPE_SECTIONS, all_keys, explain_yaml, nearest_key
from lungpipe.settings.study import StudySettings

CONFIG = ("--config", "-C")
CONFIG_FILES = ("--configfile", "--configfiles")
BEFORE_A_RULE = frozenset(
    [
        "-n",
        "--dry-run",
        "--dryrun",
        "-p",
        "--printshellcmds",
        "-k",
        "--keep-going",
        "--nolock",
        "-f",
        "--force",
        "-F",
        "--forceall",
        "--rerun-incomplete",
        "--ri",
        "--unlock",
        "-R",
        "--forcerun",
        "-U",
        "--until",
        "-O",
        "--omit-from",
        "--allowed-rules",
        "--",
    ]
)
"""Options of `snakemake` behind which the name of a rule may stand."""
_NAME = re.compile(r"[a-zA-Z_][\w-]*\w$")
"""The names that Snakemake (9.27) takes before the `=` of `--config`."""


def refuse_mistakes(arguments: Sequence[str] | None = None) -> None:
    """End the program with exit code 2 and a line for each mistake in its arguments; do nothing if there is none."""
    _end_with(find_mistakes(sys.argv[1:] if arguments is None else arguments))


def refuse_targets(rules: Iterable[str], arguments: Sequence[str] | None = None) -> None:
    """End the program with exit code 2 and a line for each name of a rule that is spelt wrongly; else do nothing."""
    _end_with(find_slips(rules, sys.argv[1:] if arguments is None else arguments))


def find_slips(rules: Iterable[str], arguments: Sequence[str]) -> Iterator[str]:
    """Yield a message for each argument that is spelt almost as one of `rules`, and is no file that exists.

    The word behind an option may be its value (`--directory small`); only behind BEFORE_A_RULE it is taken for a rule.
    """
    names = set(rules)
    for before, word in zip(["", *arguments], arguments, strict=False):
        if word in names or not re.fullmatch(r"[a-z_]+", word) or Path(word).exists():
            continue
        if before.startswith("-") and "=" not in before and before not in BEFORE_A_RULE:
            continue
        if near := difflib.get_close_matches(word, sorted(names), n=1, cutoff=NEAR):
            yield f"{word}: expected a rule or a file to make, found neither; the nearest rule is {near[0]}"


def _end_with(mistakes: Iterable[str]) -> None:
    if lines := [f"lungpipe: {mistake}\n" for mistake in mistakes]:
        sys.stderr.write("".join(lines))
        raise SystemExit(2)


def find_mistakes(arguments: Sequence[str]) -> Iterator[str]:
    """Yield a message for each wrong entry of `--config` and each file of `--configfile` that cannot be read."""
    for option, word in _words(arguments):
        message = _explain_entry(word) if option in CONFIG else _explain_file(Path(word))
        if message:
            yield f"{option} {word}: {message}"


def _words(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the words behind `--config` and `--configfile`, each with its option."""
    option = ""
    for argument in arguments:
        if argument.startswith("-"):
            option, _, value = argument.partition("=")
            if value and option in (*CONFIG, *CONFIG_FILES):
                yield option, value
        elif option in (*CONFIG, *CONFIG_FILES):
            yield option, argument


def _explain_entry(entry: str) -> str | None:
    key, is_pair, value = entry.partition("=")
    if not is_pair:
        return "expected key=value, found no ="
    if _NAME.match(key):
        return _explain_value(value)
    if key not in set(all_keys(StudySettings)):
        return f"expected a key of config.yaml, found {key!r}{nearest_key(key, value, StudySettings)}"
    section, *inner = key.split(".")
    if section in RECIPE_SECTIONS:
        return "expected a key of config.yaml, found one of a recipe: copy a file of recipes/ and change it there"
    for name in reversed(inner):
        value = f"{{{name}: {value}}}"
    return f"expected a key within a section in braces: '{section}={value}'"


def _explain_value(value: str) -> str | None:
    """Explain a section or list that is no YAML: Snakemake would take it for a plain text."""
    if not value.startswith(("{", "[")):
        return None
    try:
        yaml.safe_load(value)
    except yaml.YAMLError as error:
        return f"expected YAML with every brace closed, found {explain_yaml(error)}"
    return None


def _explain_file(path: Path) -> str | None:
    if not path.exists():
        if path.suffix not in (".yaml", ".yml", ".json"):
            return "expected a config file, found none; a file to make goes before --configfile"
        known = [str(each) for each in sorted(path.parent.glob("*.yaml"))]
        near = difflib.get_close_matches(str(path), known, n=1)
        return f"expected a config file, found none{f'; the nearest is {near[0]}' if near else ''}"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        return f"expected YAML, found {explain_yaml(error)}"
    if content is not None and not isinstance(content, dict):
        return f"expected keys and values, found {type(content).__name__}"
    return None
