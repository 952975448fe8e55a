"""Entry point of KServe's storage initializer image.

PyPI's `kserve-storage` has the downloads but not the image's script; this one takes the same arguments, pairs of source
and destination. It runs in a separate environment, so it must not import Slipway.
"""

import sys


def main(arguments: list[str]) -> int:
    """Fetch each source into its destination."""
    from kserve_storage import Storage  # type: ignore[import-not-found]
    from kserve_storage.logging import configure_logging  # type: ignore[import-not-found]

    if not arguments or len(arguments) % 2:
        print("usage: initializer SOURCE DESTINATION [SOURCE DESTINATION ...]", file=sys.stderr)
        return 2
    configure_logging()
    try:
        Storage.download_files(arguments[0::2], arguments[1::2])
    except Exception as error:
        # The last lines of the log become the pod's termination message, which KServe shows in its status.
        print(f"storage initializer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
