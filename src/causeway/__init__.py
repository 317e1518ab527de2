"""Causeway: application platforms and OpenStack clouds as one system."""

__version__ = "0.1.0"
