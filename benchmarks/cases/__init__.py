"""The cases, one file each; CASES maps the names that `--cases` takes."""

from benchmarks.cases import connections, echo, imports, parked, pingpong, sleepers, spawn, switch, timeout, yield_alone
from benchmarks.model import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (spawn, switch, yield_alone, sleepers, timeout, pingpong, echo, parked, connections, imports)
    for case in module.CASES
}
