"""The class Hub takes attributes from programs, for hubs that exist too, and another class may make the hubs."""

import pytest

import hubcore
from hubcore.hub import Hub, get_hub_class, set_default_hub_class
from hubcore.testing import run_python


@pytest.fixture
def opened(monkeypatch):
    """Sets attributes of Hub, and takes them back."""
    return lambda name, value: monkeypatch.setattr(Hub, name, value)


def failures(hub, caplog):
    caplog.clear()
    hubcore.joinall([hubcore.spawn(lambda: 1 / 0)])
    hubcore.sleep(0)
    return len(caplog.records)


def test_what_is_not_an_error_is_not_reported(hub, opened, caplog):
    assert failures(hub, caplog) == 1
    opened("NOT_ERROR", (Exception,))
    assert failures(hub, caplog) == 0


def test_after_it_is_taken_back_it_is_as_before(hub, monkeypatch, caplog):
    before = Hub.NOT_ERROR
    with monkeypatch.context() as patch:
        patch.setattr(Hub, "NOT_ERROR", (ZeroDivisionError,))
        assert failures(hub, caplog) == 0
    assert before == Hub.NOT_ERROR
    assert failures(hub, caplog) == 1


def test_a_system_error_of_the_programs_choice_ends_the_wait_of_the_main_greenlet(hub, opened):
    opened("SYSTEM_ERROR", (KeyError,))
    hubcore.spawn(lambda: {}["x"])
    with pytest.raises(KeyError):
        hubcore.sleep(10)


def test_a_method_of_the_program_gets_the_failures_of_greenlets_callbacks_and_links(hub, opened):
    found = []
    opened("handle_error", lambda self, context, type, value, tb: found.append((self, type)))
    failing = hubcore.spawn(lambda: 1 / 0)
    hubcore.joinall([failing])
    hub.loop.run_callback(lambda: {}["x"])
    hubcore.sleep(0)
    hubcore.spawn(int).link(lambda g: [][1])
    hubcore.sleep(0)
    hubcore.sleep(0)
    hubcore.sleep(0)
    assert found == [(hub, ZeroDivisionError), (hub, KeyError), (hub, IndexError)]


def test_a_switch_of_the_program_is_called_where_a_program_switches_to_the_hub(hub, monkeypatch):
    native, calls = Hub.switch, []

    def switch(self):
        calls.append(self)
        return native(self)

    with monkeypatch.context() as patch:
        patch.setattr(Hub, "switch", switch)
        hub.loop.run_callback(hubcore.getcurrent().switch, 7)
        assert hub.switch() == 7
        hubcore.sleep(0.001)  # hubcore's own waits do not call it
    assert calls == [hub]
    assert Hub.switch is native


def test_subclasses_and_their_hubs_see_it(opened):
    class Mine(Hub):
        pass

    opened("NOT_ERROR", (LookupError,))
    assert (LookupError,) == Mine.NOT_ERROR
    Mine.NOT_ERROR = (ValueError,)
    assert (LookupError,) == Hub.NOT_ERROR


def test_the_class_of_new_hubs(hub_backend):
    code = """
        import threading, hubcore
        from hubcore.hub import Hub, get_hub_class, set_default_hub_class
        class Mine(Hub):
            pass
        set_default_hub_class(Mine)
        print(get_hub_class() is Mine, type(hubcore.get_hub()) is Mine)
        found = []
        thread = threading.Thread(target=lambda: found.append(type(hubcore.get_hub())))
        thread.start()
        thread.join()
        set_default_hub_class(Hub)
        thread = threading.Thread(target=lambda: found.append(type(hubcore.get_hub())))
        thread.start()
        thread.join()
        print(found == [Mine, Hub], type(hubcore.get_hub()) is Mine)
    """
    assert run_python(code, hub_backend).stdout == "True True\nTrue True\n"


@pytest.mark.parametrize("wrong", [None, object, 3, "Hub"])
def test_a_class_that_makes_no_hubs_is_refused(wrong):
    with pytest.raises(TypeError, match="it takes Hub or a subclass of it"):
        set_default_hub_class(wrong)
    assert get_hub_class() is Hub
