"""What every OpenStack service stands on: database, message queue, cache."""

from causeway.lab.model import Directory, File, Service, Step, Tcp, Unit

DATA = "/var/lib/causeway/mysql"
QUEUE = "/var/lib/causeway/rabbitmq"


def units() -> tuple[Unit, ...]:
    """Return the units of the infrastructure."""
    configuration = File("mariadb.cnf.j2", "/etc/mysql/mariadb.conf.d/99-causeway.cnf", mode=0o644)
    return (
        Step(
            "mariadb-data",
            # From nothing each time: an interrupted one cannot be told from a whole one.
            (
                "sh",
                "-c",
                f"rm -rf {DATA} && mariadb-install-db --user=mysql --auth-root-authentication-method=socket",
            ),
            files=(configuration,),
        ),
        Service(
            "mariadb",
            ("mariadbd", "--user=mysql"),
            needs=("mariadb-data",),
            files=(configuration,),
            directories=(Directory("/run/mysqld", "mysql"),),
            ready=Tcp(3306),
            grace=8,
        ),
        Step("database-user", ("mariadb",), needs=("mariadb",), stdin="database-user.sql.j2"),
        Service(
            "memcached",
            ("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "11211", "-m", "64", "-t", "2"),
            ready=Tcp(11211),
        ),
        Service(
            "rabbitmq",
            ("/usr/lib/rabbitmq/bin/rabbitmq-server",),
            user="rabbitmq",
            files=(File("rabbitmq.conf.j2", "/etc/rabbitmq/rabbitmq.conf", owner="rabbitmq"),),
            directories=(Directory(QUEUE, "rabbitmq", 0o700),),
            environment={
                "HOME": QUEUE,
                "RABBITMQ_NODENAME": "rabbit@localhost",
                "RABBITMQ_LOG_BASE": QUEUE,
                "RABBITMQ_MNESIA_BASE": f"{QUEUE}/mnesia",
                "RABBITMQ_ENABLED_PLUGINS_FILE": f"{QUEUE}/enabled_plugins",
                "RABBITMQ_PID_FILE": f"{QUEUE}/pid",
                "RABBITMQ_DISTRIBUTION_BUFFER_SIZE": "16000",
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                # Few scheduler threads that do not wait busily: this machine has other work.
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none +P 262144"
                ),
            },
            ready=Tcp(5672),
            grace=6,
            stop_group=True,
        ),
    )
