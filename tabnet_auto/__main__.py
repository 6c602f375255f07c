"""``python -m tabnet_auto`` is ``tabnet-auto``."""

from tabnet_auto.cli import main

if __name__ == "__main__":
    main()
