"""`python -m upres` is the command."""

from upres.cli import main

if __name__ == "__main__":
    main()
