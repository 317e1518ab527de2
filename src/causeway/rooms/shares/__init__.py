"""Shares are Manila's: what is asked for by the Container Storage Interface, decided and done.

It promises what the volumes' room promises, and that a share is open to exactly the nodes that have it: what
lets a node in is made when the share is given to it, and goes when it is taken away.
"""
