"""Takes one sample in this process: `python -m benchmarks.worker CASE VARIANT` prints one line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys

from benchmarks.cases import CASES
from benchmarks.model import Settings, Unavailable

PREPARED_BY = {"hubcore": "make build", "gevent": "pip install gevent", "uvloop": "pip install uvloop"}


def take(case: str, variant: str, settings: Settings) -> dict[str, object]:
    try:
        sample = CASES[case].variants[variant](variant, settings)
    except Unavailable as error:
        return {"error": str(error)}
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        hint = f" ({PREPARED_BY[missing]})" if missing in PREPARED_BY else ""
        return {"error": f"not installed: {error}{hint}"}
    except BaseException as error:  # whatever went wrong belongs in the report; only the parent can be told
        return {"error": f"{type(error).__name__}: {error}"}
    return {"value": sample.value, "extra": sample.extra}


def main() -> None:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("variant")
    parser.add_argument("--seconds", type=float, default=defaults.seconds)
    parser.add_argument("--load-seconds", type=float, default=defaults.load_seconds)
    parser.add_argument("--warmup-seconds", type=float, default=defaults.warmup_seconds)
    parser.add_argument("--repeats", type=int, default=defaults.repeats)
    options = parser.parse_args()
    variants = CASES[options.case].variants
    if options.variant not in variants:
        parser.error(f"{options.case} has no variant {options.variant!r}; it has {', '.join(variants)}")
    settings = Settings(options.seconds, options.load_seconds, options.warmup_seconds, options.repeats)
    result = take(options.case, options.variant, settings)
    print(json.dumps(result), flush=True)
    # Thousands of tasks may still be parked here; ending them one by one is nobody's measurement.
    sys.stderr.flush()
    os._exit(1 if "error" in result else 0)


if __name__ == "__main__":
    main()
