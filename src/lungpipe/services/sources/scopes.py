"""The names that a statement, a function or a comprehension binds in its own scope."""

import ast
from collections.abc import Iterable, Iterator, Sequence

from lungpipe.services.sources.package import Package, Target

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Scope = dict[str, Target | None]
"""Names that are bound within a function: the target of an import, None for a variable."""


def function_scope(arguments: ast.arguments, statements: Sequence[ast.AST], module: str, package: Package) -> Scope:
    """Return the names bound in a function of `module`: parameters, variables, and imports."""
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    parameters = (parameter.arg for parameter in listed if parameter is not None)
    bound = (name for statement in statements for name in bound_names(statement))
    scope: Scope = dict.fromkeys((*parameters, *bound))
    shared: list[str] = []
    for node in own_statements(statements):
        if isinstance(node, ast.Import | ast.ImportFrom):
            scope.update(package.bound_by(node, module))
        elif isinstance(node, ast.Global):
            shared += node.names
    return {name: target for name, target in scope.items() if name not in shared}


def bound_names(root: ast.AST) -> Iterator[str]:
    """Yield the names that a statement or expression binds in its own scope, imports excepted; some twice."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind is ast.Name or kind is ast.Constant:  # most nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
            waiting += node.decorator_list
            waiting += node.bases if isinstance(node, ast.ClassDef) else [node.args]
        elif isinstance(node, ast.Lambda):
            waiting.append(node.args)
        elif isinstance(node, ast.comprehension):
            waiting += [node.iter, *node.ifs]  # its target is bound in the comprehension alone
        else:
            name = _own_name(node)
            if name is not None:
                yield name
            waiting += children(node)


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes in the fields of a node; `ast.iter_child_nodes` takes twice the time."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and field != "ctx":
            found.append(value)
    return found


def own_statements(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements of a scope at every depth, in no order, without those of functions and classes within."""
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                waiting += getattr(node, name, ())


def _own_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return node.name
    return node.rest if isinstance(node, ast.MatchMapping) else None


def is_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING`, under which nothing runs."""
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"


def is_bare_string(node: ast.AST) -> bool:
    """Return whether a statement is a string alone: a docstring, or the description of an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
