"""What is known of one definition, and of where it is written."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from lungpipe.services.sources.package import Package, Target


@dataclass(slots=True)
class Context:
    """Where a definition is: module, package, and what its surroundings say about classes.

    `described`: given a class, the arguments (names and places) that hold descriptions. `is_value`: whether fields of a
    class are values that reach a job as params, so that only its methods count as code.
    """

    module: str
    package: Package
    described: Callable[[Target], dict[str, int]]
    is_value: Callable[[ast.ClassDef, str], bool]


@dataclass(slots=True)
class Definition:
    """What was read: the text that counts, the names it refers to, those that only annotations name, and the modules
    of the package that it imports when it runs."""

    text: str = ""
    references: set[Target] = field(default_factory=set)
    annotated: set[Target] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)
