"""The files of one package, and the targets of names in import statements."""

import ast
from collections.abc import Iterator
from pathlib import Path

Target = tuple[str, tuple[str, ...]]
"""The target of a name: a module (full name), or an attribute (of an attribute ...) of a module."""


class Package:
    """The modules of the package in folder `root`."""

    def __init__(self, root: Path) -> None:
        """Read the package in folder `root`; the folder's name is the package's name."""
        self.root, self.name = root, root.name
        self._paths: dict[str, Path | None] = {}

    def is_internal(self, module: str) -> bool:
        """Return whether a full module name belongs to the package; the module need not exist."""
        return module == self.name or module.startswith(f"{self.name}.")

    def find(self, module: str) -> Path | None:
        """Return the file of a module of the package; None for any other name."""
        if module not in self._paths:
            self._paths[module] = self._find(module) if self.is_internal(module) else None
        return self._paths[module]

    def parse(self, module: str) -> ast.Module:
        """Return the syntax tree of a module; raises ModuleNotFoundError if the package has no such file."""
        path = self.find(module)
        if path is None:
            raise ModuleNotFoundError(f"{module}: expected a module of the package in {self.root}, found no file")
        return ast.parse(path.read_bytes())

    def parents(self, module: str) -> Iterator[str]:
        """Yield the packages around a module, outermost first: they are imported together with the module."""
        parts = module.split(".")
        names = (".".join(parts[:depth]) for depth in range(1, len(parts)))
        yield from (name for name in names if self.find(name))

    def bound_by(self, node: ast.Import | ast.ImportFrom, importer: str) -> Iterator[tuple[str, Target]]:
        """Yield each name that an import statement of module `importer` binds, with its target; `*` means all names."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, (alias.name, ())
                else:
                    yield alias.name.partition(".")[0], (alias.name.partition(".")[0], ())
            return
        source = self._absolute(node, importer)
        for alias in node.names:
            yield alias.asname or alias.name, (source, (alias.name,))

    def loaded_by(self, node: ast.Import | ast.ImportFrom, importer: str) -> Iterator[str]:
        """Yield the modules of the package that running an import statement imports.

        Raises:
            ModuleNotFoundError: the statement names a module of the package that has no file.
        """
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [self._absolute(node, importer)]
        for name in filter(self.is_internal, names):
            if self.find(name) is None:
                raise ModuleNotFoundError(f"{name}: expected a module of the package in {self.root}, found no file")
            yield name
            if isinstance(node, ast.ImportFrom):
                submodules = (f"{name}.{alias.name}" for alias in node.names)
                yield from (module for module in submodules if self.find(module))

    def _absolute(self, node: ast.ImportFrom, importer: str) -> str:
        if not node.level:
            return node.module or ""
        path = self.find(importer)
        parts = importer.split(".")
        keep = len(parts) - node.level + (1 if path is not None and path.name == "__init__.py" else 0)
        return ".".join([*parts[:keep], *([node.module] if node.module else [])])

    def _find(self, module: str) -> Path | None:
        base = self.root.joinpath(*module.split(".")[1:])
        candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
        return next((path for path in candidates if path.is_file()), None)
