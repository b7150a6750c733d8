"""`python -m turnenv`, and what the console script `turnenv` calls."""

import sys

from turnenv.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
