"""``python -m streams.cli`` is ``segments``."""

from streams.cli import main

if __name__ == "__main__":
    main()
