"""Speed and memory of a training: samples per second, waiting for data, memory, utilisation."""

import resource
import sys
import time
from dataclasses import dataclass

import torch

BYTES_PER_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Moment:
    """A moment on the clocks of host and process, and in the device's queue of work."""

    seconds: float
    cpu_seconds: float
    event: torch.cuda.Event | None

    def since(self, earlier: "_Moment") -> float:
        """Return the seconds from an earlier moment to this one, measured on the device if it has a queue."""
        if self.event is None or earlier.event is None:
            return self.seconds - earlier.seconds
        return earlier.event.elapsed_time(self.event) / 1000.0


class Speedometer:
    """Measures the training steps between two checks; validation is not timed."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start(0.0)
        self.stop(0.0)

    def start(self, waited_seconds: float) -> None:
        """Begin an interval; `waited_seconds` is the total time that training has waited for batches."""
        self._began = self._now()
        self._waited_before = waited_seconds

    def stop(self, waited_seconds: float) -> None:
        """End the interval; the device may still be computing its steps."""
        self._ended = self._now()
        self._waited = waited_seconds - self._waited_before

    def metrics(self, num_samples: int) -> dict[str, float]:
        """Return the metrics of the interval in which `num_samples` patches were trained on and finished.

        samples_per_second: patches per second. data_wait_fraction: share of the time in which training waited for a
        batch. memory_mib: largest resident memory of the process, on CUDA the largest memory of tensors.
        device_utilisation: on a CPU, CPU time / (time x torch's threads), data threads included; on CUDA the
        driver's figure, left out if torch cannot read that figure.
        """
        elapsed = max(self._ended.since(self._began), 1e-9)
        found = {
            "samples_per_second": num_samples / elapsed,
            "data_wait_fraction": min(self._waited / elapsed, 1.0),
            "memory_mib": self._memory_bytes() / BYTES_PER_MIB,
        }
        utilisation = self._utilisation(elapsed)
        return found if utilisation is None else found | {"device_utilisation": utilisation}

    def _now(self) -> "_Moment":
        event = None
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
        return _Moment(time.perf_counter(), time.process_time(), event)

    def _memory_bytes(self) -> float:
        if self.device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self.device))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak if sys.platform == "darwin" else peak * 1024)

    def _utilisation(self, elapsed: float) -> float | None:
        if self.device.type == "cpu":
            return (self._ended.cpu_seconds - self._began.cpu_seconds) / (elapsed * torch.get_num_threads())
        try:
            return torch.cuda.utilization(self.device) / 100.0
        except (ModuleNotFoundError, RuntimeError):
            # NVML's Python binding is not a dependency
            return None
