"""Measurements: Causeway, its peer and the cloud itself side by side, and Causeway alone at scale.

Nothing here is part of the product; `make bench-network` and `make bench-scale` run it.
"""
