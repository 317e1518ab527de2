"""Volumes are Cinder's: what is asked for by the Container Storage Interface, decided and done.

It promises: a name asked for once, several times, at once, or again after an answer was lost or the process
was killed, is one volume; what a call could not finish the same call goes on with; a volume is never attached
where that could break its data; and nothing that waits polls for itself.
"""
