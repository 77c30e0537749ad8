"""Metrics and charts as a folder for people who open no notebook: page, pictures, tables, how to make it again."""

from .build import build
from .folder import check

__all__ = ["build", "check"]
