"""Takes the place of the module ``bcrypt`` for Ceph's manager, and for it alone.

The manager runs each of its modules in an interpreter of its own, and the real ``bcrypt`` refuses to be
loaded in one: with it none of the modules that make file systems would start. What they have in common
imports it to hash the passwords of a dashboard, which the lab does not have.
"""


def __getattr__(name: str) -> object:
    raise NotImplementedError(f"the lab's Ceph has no passwords to hash (bcrypt.{name})")
