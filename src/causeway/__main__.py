"""``python -m causeway``: the same command line where no script is installed, as in the container image."""

from causeway.main import main

if __name__ == "__main__":
    main()
