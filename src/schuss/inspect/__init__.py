"""What is the matter with a network: where its descent stands, and which parts do not work."""

from __future__ import annotations

from schuss.inspect.diagnosis import Diagnosis, Finding, diagnose

__all__ = ["Diagnosis", "Finding", "diagnose"]
