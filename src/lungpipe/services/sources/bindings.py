"""The bindings of a module: definitions, imports, and statements that only have effects."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from lungpipe.services.sources.package import Package, Target
from lungpipe.services.sources.scopes import FUNCTIONS, bound_names, is_bare_string, is_type_checking

COMPOUND = (ast.If, ast.Try, ast.TryStar, ast.With, ast.For, ast.While, ast.Match)


@dataclass(slots=True)
class Bindings:
    """The module-level names of one module.

    `definitions`: the statements that bind a name, in order. `imports`: the target of an imported name. `stars`:
    modules of which every name is imported. `loads`: modules of the package that are imported with this one.
    `effects`: statements that bind nothing, or that may change other bindings.
    """

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Target]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)


def read_bindings(tree: ast.Module, module: str, package: Package) -> Bindings:
    """Return the bindings of a module.

    Raises:
        ModuleNotFoundError: an import of a module of the package that has no file.
    """
    found = Bindings()
    for statement in tree.body:
        _read_statement(statement, module, package, found)
    return found


def _read_statement(statement: ast.stmt, module: str, package: Package, found: Bindings) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        _read_import(statement, module, package, found)
        return
    names = list(bound_names(statement))
    if isinstance(statement, COMPOUND):
        inner = list(_statements_in(statement))
        for node, is_run in inner:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = _read_import(node, module, package, found, is_run=is_run)
                names += imported if is_run else []  # the statement counts, since it decides which branch imports
        if not any(is_run for _, is_run in inner):
            return
    elif isinstance(statement, ast.Pass) or is_bare_string(statement) or _is_all(statement):
        return
    for name in dict.fromkeys(names):
        found.definitions.setdefault(name, []).append(statement)
    if not names or _has_effect(statement):
        found.effects.append(statement)


def _read_import(
    node: ast.Import | ast.ImportFrom, module: str, package: Package, found: Bindings, *, is_run: bool = True
) -> list[str]:
    names = []
    for name, target in package.bound_by(node, module):
        if name == "*":
            found.stars.append(target[0])
        elif target != (module, (name,)):  # `from . import part` in a package binds what is a submodule anyway
            found.imports.setdefault(name, []).append(target)
            names.append(name)
    loaded = list(package.loaded_by(node, module))
    found.loads += loaded if is_run else []
    return names


def _has_effect(statement: ast.stmt) -> bool:
    """Return whether a statement that binds names may also change something else.

    A call that is assigned counts as making a value. A decorator of the package is found later: the decorator
    may store the function in a registry.
    """
    if isinstance(statement, ast.Assign):
        return any(not isinstance(target, ast.Name | ast.Tuple | ast.List) for target in statement.targets)
    if isinstance(statement, COMPOUND):
        return any(is_run and _is_effect(node) for node, is_run in _statements_in(statement))
    return isinstance(statement, ast.AugAssign)


def _is_effect(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return _has_effect(node)
    harmless = (ast.Import, ast.ImportFrom, ast.Pass, ast.AnnAssign, *FUNCTIONS, ast.ClassDef, *COMPOUND)
    return not isinstance(node, harmless) and not is_bare_string(node)


def _statements_in(node: ast.AST, is_run: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements in the branches of a compound statement, at every depth, and whether they run.

    Statements under `if TYPE_CHECKING:` do not run. Statements of functions and classes are left out.
    """
    is_typing = isinstance(node, ast.If) and is_type_checking(node.test)
    for child in ast.iter_child_nodes(node):
        runs = is_run and not (is_typing and child in getattr(node, "body", ()))
        if isinstance(child, ast.stmt):
            yield child, runs
        if isinstance(child, (*COMPOUND, ast.ExceptHandler, ast.match_case)):
            yield from _statements_in(child, runs)


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
