"""Accelerators that no pool has measured: what their makers say of them, and what an hour of one costs."""

from services.preflight.devices.find import find, suggestions
from services.preflight.devices.spec import AcceleratorSpec, ListPrice
from services.preflight.devices.table import ACCELERATORS

__all__ = ["ACCELERATORS", "AcceleratorSpec", "ListPrice", "find", "suggestions"]
