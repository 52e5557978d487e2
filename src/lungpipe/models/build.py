"""Build the network that settings name."""

import importlib
from typing import cast

from torch import nn

from lungpipe.settings.recipe import NetworkSettings


def resolve(builds: str) -> object:
    """Import the module of `module:Name` and return the object of that name.

    Raises:
        ValueError: no such module, or no such name in the module.
    """
    module, separator, name = builds.partition(":")
    if not separator:
        raise ValueError(f"builds: expected module:Name, found {builds!r}")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"builds: expected a module of lungpipe, found {builds!r}") from None
    except AttributeError:
        raise ValueError(f"builds: expected a name in {module}, found {name!r}") from None


def build_network(settings: NetworkSettings) -> nn.Module:
    """Return a new network of these settings, its weights drawn from torch's current random state.

    Only the class that `settings.builds` names is imported.
    """
    network_class = cast("type[nn.Module]", resolve(settings.builds))
    return network_class(settings)
