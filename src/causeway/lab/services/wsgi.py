"""How an API is served: one uWSGI per service, configured by a file of its own."""

from collections.abc import Mapping

from causeway.lab.model import Copy, File, Http, Service


def api(
    name: str,
    port: int,
    module: str,
    *,
    needs: tuple[str, ...],
    files: tuple[File | Copy, ...] = (),
    processes: int = 1,
    threads: int = 1,
    path: str = "/",
    arguments: str = "",
    environment: Mapping[str, str] | None = None,
) -> Service:
    """Return the service that serves ``module`` on ``port``; ready once ``path`` is answered."""
    ini = f"/etc/causeway/{name}.ini"
    values = {
        "port": port,
        "module": module,
        "processes": processes,
        "threads": threads,
        "arguments": arguments,
    }
    return Service(
        name=name,
        command=("uwsgi_python3", "--ini", ini),
        needs=needs,
        files=(File("uwsgi.ini.j2", ini, values=values), *files),
        ready=Http(port, path),
        environment=environment or {},
    )
