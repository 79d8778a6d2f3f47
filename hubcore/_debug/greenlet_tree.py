"""GreenletTree: a tree for each thread of which greenlet spawned which, with the state of each."""

from __future__ import annotations

from greenlet import getcurrent
from greenlet import greenlet as _raw

from hubcore._base.hints import Any, Iterator, Mapping
from hubcore._base.stack_format import StackTexts, format_frame, frame_of, shown
from hubcore._diagnostics.describe import describe_wait
from hubcore._diagnostics.inventory import Found, inventory
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub_if_any

_DEEPEST = 40  # levels that are indented: a chain of 10,000 would be mostly blanks


class GreenletTree:
    """A greenlet and, in `child_trees`, the greenlets that it spawned.

    A greenlet whose spawner has ended or is unknown is a child of its hub.
    """

    #: The details that `format` shows if `details` is true or does not name them: stacks, the most calls of each, the
    #: stacks that spawned the greenlets, spawn_tree_locals; but not the local variables of each call.
    DEFAULT_DETAILS: dict[str, Any] = {
        "running_stacks": True,
        "running_stack_limit": None,
        "spawning_stacks": True,
        "locals": True,
        "frame_locals": False,
    }

    #: The greenlet itself.
    greenlet: Any = None
    #: Whether this is the tree of the calling thread.
    is_current_tree: bool = False

    def __init__(self, greenlet: _raw) -> None:
        self.greenlet = greenlet
        self.is_current_tree = False
        self.child_trees: list[GreenletTree] = []
        self._found: Found | None = None

    def add_child(self, tree: GreenletTree) -> None:
        """Add `tree`, whose greenlet this greenlet spawned. Does nothing if it was added before or is this tree."""
        if tree is not self and tree not in self.child_trees:
            self.child_trees.append(tree)

    @property
    def thread_ident(self) -> int | None:
        """The ident of the greenlet's thread; None if it is unknown."""
        return None if self._found is None else self._found.hub.thread_ident

    @property
    def root(self) -> bool:
        """Whether the greenlet has no parent: it is the main greenlet of a thread."""
        return self.greenlet is not None and self.greenlet.parent is None

    @classmethod
    def forest(cls) -> list[GreenletTree]:
        """Return the trees of all threads that have a hub, the calling thread's first. Any thread; never switches."""
        here = get_hub_if_any()
        everything = inventory()
        trees = {}
        for found in everything:
            tree = trees[found.greenlet] = cls(found.greenlet)
            tree._found = found
        roots = []
        for found in everything:
            tree = trees[found.greenlet]
            above = trees.get(_spawner(found)) or trees.get(found.greenlet.parent or found.greenlet)
            if above is None or above is tree:
                tree.is_current_tree = found.hub is here
                roots.append(tree)
            else:
                above.child_trees.append(tree)
        return sorted(roots, key=lambda tree: not tree.is_current_tree)

    @classmethod
    def current_tree(cls) -> GreenletTree:
        """Return the tree of the calling thread; if it has no hub, a tree of the current greenlet alone."""
        for tree in cls.forest():
            if tree.is_current_tree:
                return tree
        alone = cls(getcurrent())
        alone.is_current_tree = True
        return alone

    def format(self, details: bool | Mapping[str, object] = True) -> str:
        """Return the tree as text; with `details` False only the greenlets; a mapping overrides DEFAULT_DETAILS."""
        return "\n".join(self.format_lines(details))

    def format_lines(self, details: bool | Mapping[str, object] = True) -> list[str]:
        """Return the text of `format` as a list of lines."""
        chosen: dict[str, Any] | None = None
        if details is True:
            chosen = self.DEFAULT_DETAILS
        elif details is not False:
            chosen = {**self.DEFAULT_DETAILS, **details}
        lines = []
        texts = StackTexts()
        for tree, depth in self._walk():
            indent = "     " * min(depth, _DEEPEST)
            head = f"{indent[:-5]} +--- " if depth else ""
            lines.append(f"{head}{tree._title()}")
            if chosen is not None:
                lines += [f"{indent}    {line}" for line in tree._details(chosen, texts)]
        return lines

    def _walk(self) -> Iterator[tuple[GreenletTree, int]]:
        # An explicit stack: a chain of greenlets that spawn each other may be deeper than Python's recursion limit.
        waiting = [(self, 0)]
        while waiting:
            tree, depth = waiting.pop()
            yield tree, depth
            waiting += [(child, depth + 1) for child in reversed(tree.child_trees)]

    def _title(self) -> str:
        return f"main greenlet {shown(self.greenlet)}" if self.root else shown(self.greenlet)

    def _details(self, chosen: Mapping[str, Any], texts: StackTexts) -> list[str]:
        lines = []
        target: Any = self.greenlet
        found = self._found
        if found is not None:
            if found.waiter is not None and found.state == "waiting":
                lines.append(describe_wait(found.waiter, found.hub.loop.clock(), with_greenlet=False))
            else:
                lines.append(found.state)
        else:
            lines.append("running" if target is getcurrent() else "ended" if target.dead else "not looked at")
        if chosen["running_stacks"]:
            frame = frame_of(target, found.thread_ident if found is not None else None)
            if chosen["frame_locals"]:
                stack = format_frame(frame, chosen["running_stack_limit"], True)
            else:
                stack = texts.lines(frame, chosen["running_stack_limit"])
            if stack:
                lines += ["Running:", *stack]
        if chosen["spawning_stacks"] and isinstance(target, Greenlet):
            spawning_stack: Any = target.spawning_stack
            lines += ["Spawned at:", *texts.lines(spawning_stack, chosen["running_stack_limit"])]
        elif chosen["spawning_stacks"] and hasattr(target, "spawn_site"):
            file, number, function = target.spawn_site
            lines += ["Spawned at:", f'  File "{file}", line {number}, in {function}']
        if chosen["locals"] and getattr(target, "_tree_locals", None):
            lines.append(f"Spawn tree locals: {shown(target.spawn_tree_locals)}")
        return lines

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.greenlet!r}, {len(self.child_trees)} children>"


def _spawner(found: Found) -> Any:
    if isinstance(found.greenlet, Greenlet):
        spawner = found.greenlet.spawning_greenlet
        return None if spawner is None else spawner()
    return None
