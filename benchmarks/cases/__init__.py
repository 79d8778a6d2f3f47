"""The cases, one file each; CASES maps the names that `--cases` takes."""

from benchmarks.cases import (
    children,
    connections,
    echo,
    fanout,
    http,
    imports,
    local,
    locks,
    network,
    parked,
    pingpong,
    pools,
    queues,
    sleepers,
    spawn,
    switch,
    timeout,
    yield_alone,
)
from benchmarks.model import Case

_SCHEDULING = (spawn, switch, yield_alone, sleepers, timeout)
_WAITING = (locks, queues, fanout, pools, local)
_INPUT_AND_OUTPUT = (pingpong, echo, network, http, children)
_FOOTPRINT = (parked, connections, imports)

CASES: dict[str, Case] = {
    case.name: case for module in (*_SCHEDULING, *_WAITING, *_INPUT_AND_OUTPUT, *_FOOTPRINT) for case in module.CASES
}
