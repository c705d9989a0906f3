"""Stands for core.convert: tells its progress and writes a file, or what the source asks for."""

import sys
import time
from pathlib import Path


def main() -> int:
    source, out = Path(sys.argv[1]), Path(sys.argv[sys.argv.index("-o") + 1])
    out.write_text(" ".join(sys.argv[1:]))  # as if it were half of the model
    print(7, flush=True)
    wish = source.read_text()
    if wish == "slow":
        time.sleep(60)
    if wish == "bad":
        print("error: The file holds a cat. Give a model.", file=sys.stderr)
        return 2
    if wish == "die":
        return 9
    print(100, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
