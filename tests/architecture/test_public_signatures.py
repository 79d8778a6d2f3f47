"""Every public callable tells `inspect` how it is called, compiled or not, as its source says."""

import dataclasses
import inspect
import typing

from hubcore.testing import run_python
from tests.support import public

# Their signatures are the standard library's, which has none for its built-in functions.
WITHOUT = {f"hubcore.resolver.blocking.Resolver.{name}" for name in ("getaddrinfo", "gethostbyaddr", "gethostbyname")}
WITHOUT |= {f"hubcore.resolver.blocking.Resolver.{name}" for name in ("gethostbyname_ex", "getnameinfo")}


def told(each):
    """The parameters that inspect.signature gives, without `self`."""
    found = list(inspect.signature(each.thing).parameters.values())
    bound = each.owner is None or isinstance(each.raw, (classmethod, staticmethod)) or inspect.isbuiltin(each.thing)
    return found if bound or hasattr(each.thing, "__self__") else found[1:]


def as_text(parameters):
    return str(inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters]))


def faults():
    count, wrong = 0, []
    for each in public.callables():
        if each.name in WITHOUT:
            continue
        source = public.written(each)
        if source is None and isinstance(each.thing, type):
            continue  # it is made as its base is, which is not hubcore's
        count += 1
        try:
            shown = as_text(told(each))
        except ValueError as error:
            wrong.append(f"{each.name}: {error}")
            continue
        made = dataclasses.is_dataclass(each.thing) and isinstance(each.thing, type)  # __init__ is generated
        if source is not None and not made and as_text(source) != shown:
            wrong.append(f"{each.name}: {shown}, and in the source {as_text(source)}")
    return count, wrong


def test_every_public_callable_has_the_signature_of_its_source():
    count, wrong = faults()
    assert wrong == []
    assert count > 600


def test_uncompiled_the_signatures_are_the_same():
    code = """
        from tests.architecture.test_public_signatures import faults
        count, wrong = faults()
        print(count > 500, *[each for each in wrong if not each.startswith("hubcore.local.local: ")])
    """  # `local` has its constructor in C, whose place an uncompiled __new__ takes
    assert run_python(code, env={"HUBCORE_PURE": "1"}).stdout == "True\n"


def test_most_signatures_are_compared_with_a_source():
    found = [public.written(each) is not None for each in public.callables()]
    assert sum(found) / len(found) > 0.9


def test_the_annotations_of_every_public_callable_evaluate():
    wrong = []
    for each in public.callables():
        if each.name.startswith("hubcore.testing.sim."):
            continue  # its annotations name types of modules that it imports only in a run
        try:
            typing.get_type_hints(each.thing)
        except Exception as error:
            wrong.append(f"{each.name}: {error!r}")
    assert wrong == []


def test_no_public_callable_hides_its_parameters_behind_a_c_type():
    assert [
        each.name for each in public.callables() if "cython" in str(getattr(each.thing, "__annotations__", ""))
    ] == []
