"""Drivers that the lab adds to Nova and Cinder: files copied into their packages, run by their Python.

They import nothing of ours. Nova looks for compute drivers below ``nova.virt`` and nowhere else.
"""
