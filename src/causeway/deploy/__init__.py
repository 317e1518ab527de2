"""Manifests that ``apply`` puts into a platform, as package data."""
