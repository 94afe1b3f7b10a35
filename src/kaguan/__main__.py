"""`python -m kaguan` is `kaguan`."""

from kaguan.cli import main

if __name__ == "__main__":
    main()
