"""Compares hubcore's modules with the names and signatures that gevent publishes (tests/data/gevent_names.json).

    python -m tests.support.drop_in                prints the gaps, module by module
    python -m tests.support.drop_in --write-gaps   prints them, and writes them to tests/data/expected_gaps.txt

Every call that is valid for gevent must be valid here, so hubcore's own parameters are no gap as long as they are
optional. A gap is written `module:Name`, `module:Class.member`, `module:name()` for a signature, or `module:*`.
"""

import argparse
import importlib
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType

from tests.support import signatures

DATA = Path(__file__).resolve().parents[1] / "data"
NAMES = DATA / "gevent_names.json"
GAPS = DATA / "expected_gaps.txt"
PACKAGE = "(package)"  # how the data name the package itself
HEAD = """\
# What gevent publishes and hubcore does not have, or not yet. `python -m tests.support.drop_in --write-gaps` wrote it;
# tests/architecture/test_drop_in.py fails at a gap that is not listed here, and at a line whose gap has closed.
"""
# Functions that the standard library itself has dropped since the data were gathered, and the version that did.
DROPPED = {"ssl:RAND_pseudo_bytes": (3, 12), "ssl:match_hostname": (3, 12), "ssl:wrap_socket": (3, 12)}
# What the standard library's module is called, where gevent has it under another name.
OF_STDLIB = {"thread": "_thread"}
# Gaps that stay, and why.
STAYS = {
    "ssl:SSLSocket.send()": "no timeout for one call, as in the standard library: settimeout, or a Timeout around it",
    "ssl:SSLSocket.read()": "the standard library's name for nbytes is len",
    "subprocess:Popen()": "from `user` on by keyword only, as in the standard library",
    "subprocess:Popen.pipe_cloexec": "of Python 2",
    "threading:LazyOnClass": "gevent's own tool",
    "threadpool:ThreadPoolExecutor.shutdown()": "as in the standard library: cancel_futures by its name",
} | {
    f"{place}.{name}()": "maxsize by its name; gevent takes any keywords, and knows no other"
    for place in ("pool:Group", "pool:Pool", "threadpool:ThreadPool")
    for name in ("imap", "imap_unordered")
}

Gaps = dict[str, str]  # each gap with what is wrong, in words


def load_names(path: Path = NAMES) -> dict[str, dict[str, object]]:
    """Each module of gevent with its names: a signature, the kind of a value, None, or a dict for a class."""
    names: dict[str, dict[str, object]] = json.loads(path.read_text())
    for entries in names.values():  # the file holds the constants in one string to be short
        entries.update(dict.fromkeys(str(entries.pop("*constants", "")).split(), "constant"))
    return names


def compare(name: str, entries: dict[str, object], module: ModuleType, stdlib: ModuleType | None = None) -> Gaps:
    """The gaps of `module` against `entries`; `stdlib` is the standard module of the same name, if there is one."""
    gaps: Gaps = {}
    for entry, published in entries.items():
        place = f"{name}:{entry}"
        if not hasattr(module, entry):
            if not absent_here(place, published, stdlib):
                gaps[place] = "missing"
            continue
        found = getattr(module, entry)
        if stdlib is not None and found is getattr(stdlib, entry, None):
            continue  # the standard library's own, in whatever form this version has it
        if isinstance(published, dict):
            gaps |= compare_class(place, published, found)
        elif isinstance(published, str):
            gaps |= compare_call(place, published, found)
    return gaps


def absent_here(place: str, published: object, stdlib: ModuleType | None) -> bool:
    """Does the standard library of this Python or platform not have this name either?"""
    if place in DROPPED:
        return sys.version_info >= DROPPED[place]
    plain = published is None or (isinstance(published, str) and not published.startswith("("))
    return plain and stdlib is not None and not hasattr(stdlib, place.partition(":")[2])


def compare_call(place: str, published: str, found: object) -> Gaps:
    """The gap of a function against its published signature; any other text only names the kind of a value."""
    if not published.startswith("("):
        return {}
    if not callable(found):
        return {f"{place}()": "cannot be called"}
    ours = signatures.of(found)
    if ours is None:
        return {}
    wrong = signatures.faults(signatures.parse(published), ours)
    return {f"{place}()": "; ".join(wrong)} if wrong else {}


def compare_class(place: str, published: dict[str, object], found: object) -> Gaps:
    """The gaps of a class: what it is, how it is called, and its members."""
    if not isinstance(found, type):
        return {place: "is not a class"}
    if published["exception"] and not issubclass(found, BaseException):
        return {place: "is not an exception"}
    gaps = compare_call(place, str(published["class"] or ""), found)
    members = published["members"]
    assert isinstance(members, dict)
    of_instances = signatures.instance_attributes(found)
    for member, signature in members.items():
        spot = f"{place}.{member}"
        if not hasattr(found, member):
            # A property is asked for at an instance, so that an attribute is as good; a class attribute is not.
            if signature != "property" or member not in of_instances:
                gaps[spot] = "missing"
        elif is_of_stdlib(found, member):
            continue  # the standard library's own, in whatever form this version has it
        elif isinstance(signature, str) and not isinstance(inspect.getattr_static(found, member), property):
            gaps |= compare_call(spot, signature, getattr(found, member))
    return gaps


def is_of_stdlib(cls: type, member: str) -> bool:
    """Whether `cls` has `member` from a base class of the standard library."""
    owner = next((base for base in cls.__mro__ if member in vars(base)), cls)
    return owner.__module__.partition(".")[0] in sys.stdlib_module_names


def find(package: str, name: str) -> ModuleType | None:
    """The module `name` of `package`, or None where there is no such module; a module that fails to import raises."""
    path = package if name == PACKAGE else f"{package}.{name}"
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        if importlib.util.find_spec(".".join(parts[:length])) is None:
            return None
    return importlib.import_module(path)


def standard(name: str) -> ModuleType | None:
    name = OF_STDLIB.get(name, name)
    return importlib.import_module(name) if name in sys.stdlib_module_names else None


def all_gaps(names: dict[str, dict[str, object]], package: str = "hubcore") -> Gaps:
    gaps: Gaps = {}
    for name, entries in names.items():
        module = find(package, name)
        if module is None:
            gaps[f"{name}:*"] = "there is no such module"
        else:
            gaps |= compare(name, entries, module, standard(name))
    return gaps


def read_gaps(path: Path = GAPS) -> set[str]:
    """The gaps listed in `path`; refuses a line that is listed twice."""
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    listed = [line for line in lines if line]
    twice = sorted({line for line in listed if listed.count(line) > 1})
    if twice:
        raise ValueError(f"{path.name} lists twice: {', '.join(twice)}")
    return set(listed)


def judge(found: Gaps, listed: set[str]) -> list[str]:
    """What is wrong: gaps that are not listed, and listed ones that are no gaps."""
    wrong = [f"unexpected gap  {gap}  ({found[gap]})" for gap in sorted(set(found) - listed)]
    wrong += [f"closed gap  {gap}  (strike it from the list)" for gap in sorted(listed - set(found))]
    return wrong


def table(names: dict[str, dict[str, object]], gaps: Gaps) -> str:
    """One line for each module: how many names gevent publishes there, how many of them have a gap, and which."""
    lines = [f"{'module':<18}{'names':>6}{'gaps':>6}  which"]
    for name, entries in names.items():
        own = [gap.partition(":")[2] for gap in gaps if gap.startswith(f"{name}:")]
        which = ", ".join(own) or "-"
        lines.append(f"{name:<18}{len(entries):>6}{len(own):>6}  {which}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.drop_in", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("--write-gaps", action="store_true", help=f"write what is missing to {GAPS.name}")
    parser.add_argument("--why", action="store_true", help="list each gap with what is wrong")
    options = parser.parse_args()
    names = load_names()
    gaps = all_gaps(names)
    print(table(names, gaps))
    if options.why:
        print("\n".join(f"{gap}  {reason}" for gap, reason in gaps.items()))
    if options.write_gaps:
        GAPS.write_text(HEAD + "".join(f"{gap}  # {STAYS[gap]}\n" if gap in STAYS else f"{gap}\n" for gap in gaps))


if __name__ == "__main__":
    main()
