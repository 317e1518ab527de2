"""Networks of namespaces: a namespace may have a network, subnets and a security group of its own.

This room promises: a namespace that asks for its own network gets exactly one, joined to the platform's
router and closed to the pods of other namespaces; nothing is taken away from under pods that run; and when
the namespace is gone, so is its network. It holds no namespace back from being deleted.
"""
