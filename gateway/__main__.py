"""`python -m gateway` is `pinion`."""

from gateway.cli import main

if __name__ == "__main__":
    main(prog_name="pinion")
