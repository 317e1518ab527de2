"""A Route is a backend of HAProxy: changes of routes reach it at run time, without a reload.

What each part decides is pure: ``admission`` who owns a host, ``compiling`` what a route needs of HAProxy,
``plan`` the difference to what HAProxy runs, ``commands`` and ``config`` how that is written down. Ingresses
(``entrance``) and Gateway API (``gateway``) are parts among Routes.
"""
