"""The report: one HTML page about a project's result, which needs nothing outside itself."""

from hubexpert.report.beside import Beside, beside
from hubexpert.report.page import render_report, write_report

__all__ = ["Beside", "beside", "render_report", "write_report"]
