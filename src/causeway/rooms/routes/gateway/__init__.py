"""Gateway API as parts among routes: ``deriving`` makes them, ``hall`` follows and writes.

A rule of a route becomes a backend (``Rule``); who it is for becomes entries of the maps, all of one host
together (``Table``).
"""
