"""Tables: reading them, deciding what their columns are, and making numbers of them."""

from __future__ import annotations

from schuss.data.splits import fold_of_rows, permutation, split_rows
from schuss.data.tables.columns import ColumnKind
from schuss.data.tables.inference import infer_kinds
from schuss.data.tables.preparing.prepare import PreparedTable, Share, prepare_table
from schuss.data.tables.preparing.preprocessing import TablePreprocessor
from schuss.data.tables.preparing.target import TargetEncoder
from schuss.data.tables.preparing.weights import class_weights, weight_column
from schuss.data.tables.reading.readers import BUNDLED, iter_table, read_table
from schuss.data.tables.table import Table

__all__ = [
    "BUNDLED",
    "ColumnKind",
    "PreparedTable",
    "Share",
    "Table",
    "TablePreprocessor",
    "TargetEncoder",
    "class_weights",
    "fold_of_rows",
    "infer_kinds",
    "iter_table",
    "permutation",
    "prepare_table",
    "read_table",
    "split_rows",
    "weight_column",
]
