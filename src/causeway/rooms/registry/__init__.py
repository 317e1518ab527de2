"""Who may pull and push images: the platform's users and service accounts, by its own roles.

An image is called NAMESPACE/NAME. What a client asks of the registry is asked of the Kubernetes API as the
verbs ``get``, ``update`` and ``delete`` on ``images`` of the group ``registry.causeway.dev`` in that
namespace. There are no such objects: they are names for roles to give. A service account may pull what is in
its own namespace.

Images are of the namespace they were pushed in and go with it; a quota bounds them; and what none of them
needs is freed while nobody pushes.
"""
