"""A module that is loaded when it is first used, not when it is first imported."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any


class DeferredModule(ModuleType):
    """Stands for a module in `sys.modules` until somebody asks for a name in it.

    Then that is loaded, whole, before anybody gets the first name: several threads may ask at once.
    (`importlib.util.LazyLoader` hands the second one half a module before Python 3.12.)
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lock = threading.RLock()
        self._loaded: ModuleType | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by importing itself
            raise AttributeError(name)
        with self._lock:
            if self._loaded is None:
                # From now on it is what others import.
                if sys.modules.get(self.__name__) is self:
                    del sys.modules[self.__name__]
                self._loaded = importlib.import_module(self.__name__)
        return getattr(self._loaded, name)


def defer(name: str) -> None:
    """Put a module off until it is used; one that is loaded already stays.

    name: dotted, of a module that has no submodules. It is not looked up: a wrong one fails when it
    is used.
    """
    sys.modules.setdefault(name, DeferredModule(name))
