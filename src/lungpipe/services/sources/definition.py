"""One definition and its surroundings, as read from the source."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from lungpipe.services.sources.package import Package, Target


@dataclass(slots=True)
class Context:
    """Where a definition is: module, package, and facts about classes.

    `described`: given a class or a function, the arguments (names and places) that are texts for people. `is_value`:
    whether fields of a class are values that reach a job as params, so that only its methods count as code.
    """

    module: str
    package: Package
    described: Callable[[Target], dict[str, int]]
    is_value: Callable[[ast.ClassDef, str], bool]


@dataclass(slots=True)
class Definition:
    """A definition that was read: the text that counts, the names in that text, names in annotations alone, and the
    modules of the package that are imported when the definition runs."""

    text: str = ""
    references: set[Target] = field(default_factory=set)
    annotated: set[Target] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)
