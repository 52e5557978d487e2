"""Separate texts of messages from code: texts of errors and log lines change no result."""

import ast
from collections import Counter

from lungpipe.services.sources.scopes import own_statements

SAYS = frozenset({"say", "log", "advance", "warn", "warning", "info", "debug", "error", "exception", "critical"})
"""Names of functions and methods that get messages; arguments that are not texts count as code."""
WORDS = "expectation"
"""Name of methods and functions that return words of messages."""
_MAKES_TEXT = frozenset({"str", "repr", "ascii"})
_BY_NAME = 1 << 30
"""Place of an argument that is passed by its name alone."""
_EXCEPTIONS = ("Error", "Exception", "Warning")


def is_message(node: ast.AST) -> bool:
    """Return whether a call passes a message to a function of `SAYS`, or to one of two: `(on_done or log)(...)`."""
    return isinstance(node, ast.Call) and _says(node.func)


def message_arguments(node: ast.AST) -> list[ast.expr]:
    """Return the positional and keyword arguments of a message call, or of the raised exception."""
    call = node.exc if isinstance(node, ast.Raise) else node
    return [*call.args, *(keyword.value for keyword in call.keywords)] if isinstance(call, ast.Call) else []


def is_text(node: ast.AST, texts: frozenset[str] = frozenset()) -> bool:
    """Return whether an expression is always a string; variables in `texts` are strings."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        is_left = is_text(node.left, texts)
        return (isinstance(node.op, ast.Mod) and is_left) or (
            isinstance(node.op, ast.Add) and (is_left or is_text(node.right, texts))
        )
    if isinstance(node, ast.IfExp):
        return is_text(node.body, texts) and is_text(node.orelse, texts)
    if isinstance(node, ast.BoolOp):  # `listed or "nothing"`
        return isinstance(node.op, ast.Or) and is_text(node.values[-1], texts)
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute):
            return function.attr in ("join", "format") and is_text(function.value, texts)
        return isinstance(function, ast.Name) and function.id in _MAKES_TEXT
    return isinstance(node, ast.Name) and node.id in texts


def message_variables(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Return the variables of a function that always hold strings and are read in messages alone.

    Their values, as in `found = f"{count} files"` before a `raise`, belong to the message.
    """
    if not any(_is_text_assigned(node) for node in own_statements(function.body)):
        return frozenset()  # most functions, found quickly
    texts = _text_variables(function)
    while texts:
        read = _read_outside(function, texts)
        if not texts & read:
            break
        texts -= read
    return texts


def message_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    """Return the parameters of a function that are read in messages alone, with their places among the arguments.

    Texts that callers pass for them, as in `_refuse(path, expected="a number")`, belong to the message. A parameter
    that is assigned to, or that an inner function has again, is none of them.
    """
    nodes = list(ast.walk(function))
    if not any(isinstance(node, ast.Raise | ast.Assert) or is_message(node) for node in nodes):
        return {}  # most functions, found quickly
    named = function.args.posonlyargs + function.args.args
    places = {argument.arg: place for place, argument in enumerate(named)}
    places |= {argument.arg: _BY_NAME for argument in function.args.kwonlyargs}
    inner = Counter(node.arg for node in nodes if isinstance(node, ast.arg))
    variables = [node for node in nodes if isinstance(node, ast.Name)]
    stored = {node.id for node in variables if not _is_read(node)}
    texts = {name for name in places if inner[name] == 1} - stored
    texts -= _read_outside(function, frozenset(texts) | message_variables(function))
    said = {node.id for node in variables if _is_read(node)}
    return {name: place for name, place in places.items() if name in texts & said}


def is_exception(node: ast.ClassDef) -> bool:
    """Return whether a class is an exception, by the names of its bases."""
    return any(ast.unparse(base).endswith(_EXCEPTIONS) for base in node.bases)


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _says(function: ast.expr) -> bool:
    if isinstance(function, ast.BoolOp):
        return any(_says(value) for value in function.values)
    return getattr(function, "id", getattr(function, "attr", None)) in SAYS


def _is_text_assigned(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and is_text(node.value)


def _text_variables(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    assigned: dict[str, list[ast.expr]] = {}
    num_stores: Counter[str] = Counter()
    otherwise: set[str | None] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            num_stores[node.id] += not isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.Assign | ast.AugAssign):
            target = assigned_variable(node)
            if target is not None:
                assigned.setdefault(target, []).append(node.value)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            otherwise.update(node.names)
        else:
            otherwise.update(getattr(node, field, None) for field in ("arg", "name", "asname", "rest"))
    once = {
        name: values for name, values in assigned.items() if num_stores[name] == len(values) and name not in otherwise
    }
    texts = frozenset(once)
    while True:  # a text may contain other texts
        kept = frozenset(name for name in texts if all(is_text(value, texts) for value in once[name]))
        if kept == texts:
            return kept
        texts = kept


def assigned_variable(node: ast.AST) -> str | None:
    """Return the variable of a statement that assigns to exactly one variable, else None."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AugAssign):
        target = node.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _read_outside(function: ast.AST, texts: frozenset[str]) -> set[str]:
    """Return the variables that are read in a function, except in messages and their texts."""
    read: set[str] = set()
    waiting = [function]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if _is_read(node):
                read.add(node.id)
        elif assigned_variable(node) not in texts:
            waiting += _parts_outside(node, texts)
    return read


def _parts_outside(node: ast.AST, texts: frozenset[str]) -> list[ast.AST]:
    """Return the parts of a node, except texts that are passed as messages."""
    if isinstance(node, ast.Assert):
        return [node.test]
    if not isinstance(node, ast.Raise) and not is_message(node):
        return list(ast.iter_child_nodes(node))
    arguments = message_arguments(node)
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        parts = [node.exc.func, *arguments, *([node.cause] if node.cause else [])]
    values = (part.value if isinstance(part, ast.keyword) else part for part in parts)
    return [value for value in values if not (value in arguments and is_text(value, texts))]
