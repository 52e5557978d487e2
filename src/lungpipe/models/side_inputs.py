"""Call networks that take more than HU."""

from collections.abc import Mapping

from torch import Tensor, nn


def takes_diameter(network: nn.Module) -> bool:
    """Return whether the network takes diameters beside HU."""
    return bool(getattr(network, "takes_diameter", False))


def apply_network(network: nn.Module, hu_BCZYX: Tensor, diameter_mm_B: Tensor | None) -> Mapping[str, Tensor]:
    """Return the network's logits by head.

    The diameters (mm; NaN or None: unknown) go to networks that take them; other networks get HU alone.
    """
    outputs: Mapping[str, Tensor] = network(hu_BCZYX, diameter_mm_B) if takes_diameter(network) else network(hu_BCZYX)
    return outputs
