"""Plain classes for pydantic-core to fill, in place of the models, when nothing is wrong."""

from __future__ import annotations

from typing import Any


class Light:
    """A chapter of a valid spec: the attributes of the model of the same name, frozen as it is."""

    __slots__ = (
        "__dict__",
        "__pydantic_extra__",
        "__pydantic_fields_set__",
        "__pydantic_private__",
    )

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # as the models: they hold dicts

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({values})"


def light(name: str) -> type[Light]:
    """A class of its own for one model."""
    return type(name, (Light,), {"__slots__": ()})
