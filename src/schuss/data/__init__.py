"""Tables: reading them, deciding what their columns are, and making numbers of them."""

from __future__ import annotations

from schuss.data.columns import ColumnKind
from schuss.data.inference import infer_kinds
from schuss.data.prepare import PreparedTable, Share, prepare_table
from schuss.data.preprocessing import TablePreprocessor
from schuss.data.readers import BUNDLED, iter_table, read_table
from schuss.data.splits import fold_of_rows, permutation, split_rows
from schuss.data.table import Table
from schuss.data.target import TargetEncoder
from schuss.data.weights import class_weights, weight_column

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
