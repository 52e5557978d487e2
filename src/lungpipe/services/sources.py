"""Which source files a module stands on, and a digest of each, found by reading and never by importing."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


class SourceTree:
    """The modules of one package, parsed at most once each."""

    def __init__(self, root: Path, unfollowed: frozenset[str] = frozenset()) -> None:
        """Look at the package in folder `root`; imports of `unfollowed` modules (full names) are not followed."""
        self.root = root
        self.package = root.name
        self.unfollowed = unfollowed
        self._trees: dict[str, ast.Module] = {}
        self._digests: dict[str, str] = {}
        self._targets: dict[str, frozenset[str]] = {}

    def closure(self, modules: tuple[str, ...]) -> list[str]:
        """Return the modules and every module of the package they import, sorted.

        Raises:
            ModuleNotFoundError: a module, or one that it imports, has no file.
        """
        found: set[str] = set()
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            if module not in found:
                found.add(module)
                waiting.extend(self.imports(module) - found)
        return sorted(found)

    def digest(self, module: str) -> str:
        """Return the SHA-256 of a module's syntax tree without comments, layout, docstrings and bare strings."""
        if module not in self._digests:
            self._digests[module] = hashlib.sha256(ast.dump(self._tree(module)).encode()).hexdigest()
        return self._digests[module]

    def imports(self, module: str) -> frozenset[str]:
        """Return the modules of the package that a module imports, wherever in its text; re-exports are resolved."""
        if module not in self._targets:
            parents = {parent for parent in self._parents(module) if not self._is_plain(parent)}
            self._targets[module] = self._named_in(self._tree(module), module) | parents
        return self._targets[module]

    def imports_of_script(self, path: Path) -> frozenset[str]:
        """Return the modules of the package that a script outside of it imports."""
        return self._named_in(ast.parse(path.read_bytes()), "")

    def _named_in(self, tree: ast.Module, importer: str) -> frozenset[str]:
        targets = {target for node in _runtime_imports(tree) for target in self._of(node, importer)}
        return frozenset(target for target in targets if not self._is_unfollowed(target))

    def _of(self, node: ast.Import | ast.ImportFrom, importer: str) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if self._is_internal(alias.name))
            return
        source = self._absolute(node, importer)
        if self._is_internal(source):
            for alias in node.names:
                yield self._definer(source, alias.name)

    def _definer(self, module: str, name: str) -> str:
        """Return the module that defines `name` of `module`: itself, a submodule, or where a re-export came from."""
        if self._is_unfollowed(module) or not self._is_package(module):
            return module
        for node in self._tree(module).body:
            if isinstance(node, ast.ImportFrom):
                source = self._absolute(node, module)
                for alias in node.names:
                    # `from . import parts` in a package names the submodule, not the package itself
                    if (alias.asname or alias.name) == name and self._is_internal(source) and source != module:
                        return self._definer(source, alias.name)
        submodule = f"{module}.{name}"
        return submodule if self._find(submodule) else module

    def _absolute(self, node: ast.ImportFrom, importer: str) -> str:
        if not node.level:
            return node.module or ""
        parts = importer.split(".")
        keep = len(parts) - node.level + (1 if self._is_package(importer) else 0)
        return ".".join([*parts[:keep], *([node.module] if node.module else [])])

    def _is_internal(self, module: str) -> bool:
        return module == self.package or module.startswith(f"{self.package}.")

    def _is_unfollowed(self, module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in self.unfollowed)

    def _parents(self, module: str) -> Iterator[str]:
        parts = module.split(".")
        names = (".".join(parts[:depth]) for depth in range(1, len(parts)))
        yield from (name for name in names if self._find(name))

    def _is_package(self, module: str) -> bool:
        return self._path(module).name == "__init__.py"

    def _is_plain(self, package: str) -> bool:
        """Tell whether a package's `__init__` only documents and re-exports, so that importing it does nothing else."""
        return all(
            isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or _is_all(node)
            for node in self._tree(package).body
        )

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            self._trees[module] = ast.parse(self._path(module).read_bytes())
            _strip(self._trees[module])
        return self._trees[module]

    def _path(self, module: str) -> Path:
        path = self._find(module)
        if path is None:
            raise ModuleNotFoundError(f"{module}: expected a module of the package in {self.root}, found no file")
        return path

    def _find(self, module: str) -> Path | None:
        if not self._is_internal(module):
            return None
        base = self.root.joinpath(*module.split(".")[1:])
        candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
        return next((path for path in candidates if path.is_file()), None)


def _blocks(node: ast.AST) -> Iterator[list[ast.AST]]:
    """Yield the lists of statements in a node; imports and docstrings are nowhere else, expressions are not visited."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block


def _strip(node: ast.AST) -> None:
    """Remove every bare string statement: docstrings of modules, classes, functions and attributes."""
    for block in _blocks(node):
        block[:] = [child for child in block if not _is_bare_string(child)] or [ast.Pass()]
        for child in block:
            _strip(child)


def _runtime_imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports in a node at every depth, except those under `if TYPE_CHECKING:`, which never run."""
    for block in _blocks(node):
        if isinstance(node, ast.If) and block is node.body and _is_type_checking(node.test):
            continue
        for child in block:
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield child
            else:
                yield from _runtime_imports(child)


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"


def _is_bare_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
