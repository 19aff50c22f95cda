"""Rows of open datasets: read once, kept on disk, and looked at before any method sees them."""

from hubexpert.rows.files import RowFile
from hubexpert.rows.local import local_dataset
from hubexpert.rows.read import read_rows

__all__ = ["RowFile", "local_dataset", "read_rows"]
