"""Metrics and charts as a folder for people who open no notebook: page, pictures, tables, how to make it again."""

from .build import build

__all__ = ["build"]
