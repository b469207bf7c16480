"""`python -m bastide`."""

from bastide.cli.main import main

main()
