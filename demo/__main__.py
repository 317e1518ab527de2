"""``python -m demo up|down``: what ``make demo`` and ``make demo-down`` run."""

import sys

from causeway.kit.errors import Problem
from causeway.kit.progress import Progress
from demo.path import Demo


def main() -> int:
    """Run the demo up or down; the exit code is that of the first command that failed."""
    if sys.argv[1:] not in (["up"], ["down"]):
        print("usage: python -m demo up|down", file=sys.stderr)
        return 2
    demo = Demo(Progress())
    try:
        if sys.argv[1] == "down":
            demo.down()
        else:
            demo.up()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
