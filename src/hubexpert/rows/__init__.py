"""Rows of open datasets: read once, kept on disk, and looked at before any method sees them."""

from hubexpert.rows.files import RowFile
from hubexpert.rows.local import is_local, local_dataset
from hubexpert.rows.read import read_rows

__all__ = ["RowFile", "is_local", "local_dataset", "read_rows"]
