"""``python -m bench``."""

import sys

#: What only the extra ``bench`` installs.
_EXTRA = ("asyncpg", "psutil")

try:
    from bench.cli import main
except ModuleNotFoundError as missing:
    if missing.name not in _EXTRA:
        raise
    sys.stderr.write(
        f"bench: {missing.name} is not installed; install the extra with: "
        "pip install 'tidegate[bench]'\n"
    )
    sys.exit(3)

sys.exit(main())
