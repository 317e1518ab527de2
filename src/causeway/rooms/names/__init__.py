"""Objects that are reached have names: services, routes, nodes, the platform itself, as records of Designate.

What is ours is written into the zone in the way of external-dns, so that nothing foreign is ever changed, two
platforms can share a zone, and a zone changes hands without a change of a record. A zone is planned as a
whole from one listing of it; there is no call per record to look at one.
"""
