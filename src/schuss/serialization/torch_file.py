"""PyTorch's files, read without running anything of them.

A file that `torch.save` wrote is a zip archive with a pickle, which is a program. This reader goes
through its instructions itself, and knows only those that put together containers, numbers and
tensors: whatever else is in there is refused, and nothing is imported or called by name.
"""

from __future__ import annotations

import math
import pickletools
import sys
import zipfile
from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.counts import Size
from schuss.data_type import dtype
from schuss.errors import FileFormatError
from schuss.nn.parameter import Parameter

__all__ = ["read_torch_file"]

# How the elements of a storage lie in the file, and the dtype that they get.
_STORAGES: dict[str, tuple[str, str]] = {
    "FloatStorage": ("f4", "float32"),
    "DoubleStorage": ("f8", "float64"),
    "HalfStorage": ("f2", "float32"),
    "BFloat16Storage": ("u2", "float32"),
    "LongStorage": ("i8", "int64"),
    "IntStorage": ("i4", "int32"),
    "ShortStorage": ("i2", "int64"),
    "CharStorage": ("i1", "int64"),
    "ByteStorage": ("u1", "int64"),
    "BoolStorage": ("?", "bool"),
}
_DTYPES = {
    "float32": "float32",
    "float": "float32",
    "float64": "float64",
    "double": "float64",
    "int64": "int64",
    "long": "int64",
    "int32": "int32",
    "int": "int32",
    "bool": "bool",
}
# A view may repeat elements of its storage (an expanded tensor), but not without a limit.
_MOST_REPEATED = 2**24


class _Global:
    """A name that the pickle refers to."""

    def __init__(self, module: str, name: str) -> None:
        self.path = f"{module}.{name}"
        self.name = name


def read_torch_file(file: str | IO[bytes], shown: str) -> Any:
    """Return what `torch.save` wrote: containers, numbers, texts, and tensors.

    Args:
        file: a path, or an open file.
        shown: what errors call it.

    Raises:
        FileFormatError: if the file is damaged, or holds anything else, such as a whole module.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _Archive(archive, shown).read()
    except FileFormatError:
        raise
    # What Python's readers of archives and instructions raise for what is damaged.
    except (zipfile.BadZipFile, ArithmeticError, LookupError, EOFError, OSError) as error:
        raise FileFormatError(f"{shown}: not a whole file of PyTorch's ({error}).") from None
    except (ValueError, TypeError, AttributeError, RuntimeError, MemoryError) as error:
        raise FileFormatError(
            f"{shown}: cannot be read as a file of PyTorch's ({error})."
        ) from None


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, shown: str) -> None:
        self._archive = archive
        self._shown = shown
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise FileFormatError(
                f"{shown}: expected a file that torch.save wrote, got another zip archive."
            )
        self._folder = names[0][: -len("data.pkl")]
        self._storages: dict[str, tuple[str, Array]] = {}
        order = f"{self._folder}byteorder"
        is_big = order in archive.namelist() and self._entry("byteorder") == b"big"
        self._is_swapped = is_big == (sys.byteorder == "little")

    def _entry(self, name: str) -> bytes:
        info = self._archive.getinfo(self._folder + name)
        # As PyTorch writes them: what is packed could become any size.
        if info.compress_type != zipfile.ZIP_STORED:
            raise FileFormatError(f"{self._shown}: expected entries that are not compressed.")
        return self._archive.read(info)

    def read(self) -> Any:
        return _Machine(self).run(self._entry("data.pkl"))

    def refuse(self, what: str) -> FileFormatError:
        return FileFormatError(
            f"{self._shown}: expected tensors, numbers, texts and containers, got {what}; save "
            "model.state_dict() with PyTorch instead."
        )

    def storage(self, identity: Any) -> tuple[str, Array]:
        """Return the dtype and the elements of a storage."""
        if not isinstance(identity, tuple) or identity[0] != "storage":
            raise self.refuse("an unknown reference")
        _, kind, key, _, count = identity
        if not isinstance(kind, _Global) or kind.name not in _STORAGES:
            raise self.refuse(f"a storage of {getattr(kind, 'path', kind)}")
        if key not in self._storages:
            stored, dtype = _STORAGES[kind.name]
            content = self._entry(f"data/{key}")
            elements = np.frombuffer(content, stored)
            elements = elements.byteswap() if self._is_swapped else elements
            if len(elements) < count:
                raise FileFormatError(f"{self._shown}: the elements of a tensor are cut off.")
            if kind.name == "BFloat16Storage":
                # The upper half of a float32.
                elements = (elements.astype(np.uint32) << 16).view(np.float32)
            self._storages[key] = dtype, elements.astype(dtype)
        return self._storages[key]

    def tensor(self, storage: Any, offset: int, size: Any, stride: Any, *rest: Any) -> Tensor:
        """Return a view of a storage, as a tensor of its own."""
        dtype, elements = storage
        shape, steps = tuple(size), tuple(stride)
        whole = [offset, *shape, *steps]
        if any(type(n) is not int or n < 0 for n in whole) or len(shape) != len(steps):
            raise FileFormatError(f"{self._shown}: the shape of a tensor is damaged.")
        count = math.prod(shape)
        last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if count and last >= len(elements):
            raise FileFormatError(f"{self._shown}: a tensor reaches beyond its elements.")
        if count > max(len(elements), _MOST_REPEATED):
            raise FileFormatError(f"{self._shown}: a tensor is larger than the file bears out.")
        width = elements.itemsize
        view = np.lib.stride_tricks.as_strided(
            elements[offset:], shape, [step * width for step in steps]
        )
        made = leaf(np.array(view, dtype, order="C"))
        requires_grad = bool(rest and rest[0] is True)
        return made.requires_grad_(requires_grad) if made.array.dtype.kind == "f" else made


class _Machine:
    """Goes through a pickle's instructions."""

    def __init__(self, archive: _Archive) -> None:
        self._archive = archive
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._calls: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": lambda *pairs: dict(*pairs),
            "torch._utils._rebuild_tensor_v2": archive.tensor,
            "torch._utils._rebuild_tensor": archive.tensor,
            "torch._utils._rebuild_parameter": _parameter,
            "torch._utils._rebuild_parameter_with_state": _parameter,
            "torch.Size": Size,
            "torch.device": lambda *_: "cpu",
            "torch.serialization._get_layout": lambda name: str(name),
            "builtins.set": list,
            "__builtin__.set": list,
        }

    def run(self, program: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self._known(self._stack.pop())
            step = getattr(self, f"_{opcode.name.lower()}", None)
            if step is not None:
                step(argument)
            elif opcode.name in _CONSTANTS:
                self._stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise self._archive.refuse(f"the instruction {opcode.name}")
        raise EOFError("it has no end")

    def _known(self, value: Any) -> Any:
        """Return a value that is no name of something unknown."""
        if isinstance(value, _Global):
            module, _, name = value.path.rpartition(".")
            if module == "torch" and name in _DTYPES:
                return dtype(_DTYPES[name])
            raise self._archive.refuse(value.path)
        return value

    def _tolerated(self, value: Any) -> Any:
        """Return a value that may also be the name of a kind of storage, in a reference to one."""
        is_kind = isinstance(value, _Global) and value.name in _STORAGES
        return value if is_kind else self._known(value)

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        items, self._stack[start:] = self._stack[start:], []
        return items

    def _values(self, items: Sequence[Any]) -> list[Any]:
        return [self._known(item) for item in items]

    # Instructions, by their names in the pickle format.

    def _mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def _empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def _empty_list(self, _: Any) -> None:
        self._stack.append([])

    _empty_set = _empty_list

    def _empty_tuple(self, _: Any) -> None:
        self._stack.append(())

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(map(self._tolerated, self._pop_to_mark())))

    def _some(self, count: int) -> None:
        items, self._stack[-count:] = self._stack[-count:], []
        self._stack.append(tuple(map(self._tolerated, items)))

    def _tuple1(self, _: Any) -> None:
        self._some(1)

    def _tuple2(self, _: Any) -> None:
        self._some(2)

    def _tuple3(self, _: Any) -> None:
        self._some(3)

    def _setitem(self, _: Any) -> None:
        key, value = self._stack[-2:]
        del self._stack[-2:]
        self._container(dict)[self._known(key)] = self._known(value)

    def _setitems(self, _: Any) -> None:
        items = self._values(self._pop_to_mark())
        self._container(dict).update(zip(items[::2], items[1::2], strict=True))

    def _append(self, _: Any) -> None:
        item = self._known(self._stack.pop())
        self._container(list).append(item)

    def _appends(self, _: Any) -> None:
        items = self._values(self._pop_to_mark())
        self._container(list).extend(items)

    _additems = _appends

    def _container(self, kind: type) -> Any:
        found = self._stack[-1]
        if type(found) is not kind:
            raise self._archive.refuse(f"contents of a {type(found).__name__}")
        return found

    def _binput(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    _long_binput = _binput

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _binget(self, place: int) -> None:
        self._stack.append(self._memo[place])

    _long_binget = _binget

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _global(self, path: str) -> None:
        self._stack.append(_Global(*path.split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        module, name = self._stack[-2:]
        del self._stack[-2:]
        self._stack.append(_Global(module, name))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(self._archive.storage(self._stack.pop()))

    def _reduce(self, _: Any) -> None:
        arguments = self._stack.pop()
        function = self._stack.pop()
        path = function.path if isinstance(function, _Global) else type(function).__name__
        call = self._calls.get(path)
        if call is None:
            raise self._archive.refuse(path)
        self._stack.append(call(*arguments))

    def _build(self, _: Any) -> None:
        # What PyTorch hangs on to an ordered dictionary, such as the versions of a state_dict.
        self._stack.pop()
        self._container(dict)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
    ]
)


def _parameter(data: Any, requires_grad: Any, *_: Any) -> Parameter:
    return Parameter(data, requires_grad=requires_grad is True)
