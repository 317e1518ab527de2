"""What is asked for by the Container Storage Interface: the words of it, and how it is done once.

Rooms of storage (volumes, shares) say what their objects are. That a name asked for several times, at once,
or again after a lost answer or the end of the process is one object, and that nothing that waits polls for
itself, is here.
"""
