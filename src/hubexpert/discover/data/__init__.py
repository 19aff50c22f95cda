"""Datasets for a task: found, looked at, judged, and their columns read as examples."""

from hubexpert.discover.data.find import discover_datasets
from hubexpert.discover.data.known import Known

__all__ = ["Known", "discover_datasets"]
