"""The default network for tables, with its layers."""

from schuss.nn.tabular.network import TabularMLP

__all__ = ["TabularMLP"]
