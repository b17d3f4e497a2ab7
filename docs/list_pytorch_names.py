"""Write what public names PyTorch has, and their parameters, to pytorch_names.json.

Run where PyTorch is installed, once for each version of it that the page is to speak of.
Parameters come from signatures, and for what is written in C++ from the stubs that PyTorch ships,
all overloads together, or from the line of usage in the documentation.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

NAMESPACES = (
    *("torch", "torch.Tensor", "torch.nn", "torch.nn.functional", "torch.nn.utils"),
    *(
        "torch.nn.utils.parametrizations",
        "torch.nn.init",
        "torch.optim",
        "torch.optim.lr_scheduler",
    ),
    *("torch.optim.swa_utils", "torch.autograd", "torch.func", "torch.distributions"),
    *("torch.utils.data", "torch.linalg", "torch.fft", "torch.special"),
)
# Types of `torch` that are not its compiler's or its storage's.
TYPES = {
    *(
        "BoolTensor",
        "ByteTensor",
        "CharTensor",
        "DoubleTensor",
        "FloatTensor",
        "Generator",
        "GradScaler",
        "IntTensor",
    ),
    *("LongTensor", "ShortTensor", "Size", "Tensor", "autocast", "device", "dtype", "enable_grad"),
    *("finfo", "iinfo", "inference_mode", "layout", "memory_format", "no_grad", "set_grad_enabled"),
}
# Documented, and not in `torch.__all__`.
UNLISTED = ("from_dlpack", "segment_reduce", "set_default_dtype", "to_dlpack")
TARGET = Path(__file__).with_name("pytorch_names.json")


def of_arguments(arguments: ast.arguments) -> list[str]:
    """Return names of parameters; those that stand for any number have their star."""
    names = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    return names + [a.arg for a in arguments.kwonlyargs]


def of_stub(path: Path, inside: str | None = None) -> dict[str, list[str]]:
    """Return the parameters of all functions of a stub, or of a class in it, overloads joined."""
    body = ast.parse(path.read_text("utf-8")).body
    if inside is not None:
        (found,) = (n for n in body if isinstance(n, ast.ClassDef) and n.name == inside)
        body = found.body
    names: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            known = names.setdefault(node.name, [])
            # What is called self in C++ is called input in Python, but for a method's.
            given = ["input" if n == "self" else n for n in of_arguments(node.args)]
            known += [n for n in given if n not in known]
    return names


def of_usage(name: str, text: Any) -> list[str] | None:
    """Return the parameters in a line such as `linalg.det(A, *, out=None) -> Tensor`."""
    for line in (text if isinstance(text, str) else "").replace("\\\n", "").splitlines():
        match = re.match(rf"\s*(?:[\w.]+\.)?{name}\((.*?)\)(\s*->|\s*$)", line)
        if match:
            try:
                function = ast.parse(f"def f({match[1]}): ...").body[0]
            except SyntaxError:
                continue
            assert isinstance(function, ast.FunctionDef)
            return of_arguments(function.args)
    return None


def parameters(name: str, value: Any, stub: dict[str, list[str]]) -> list[str] | None:
    """Return names of parameters, or None where there are none to be known."""
    if name in stub and not inspect.isfunction(value):
        return stub[name]
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return of_usage(name, value.__doc__) if callable(value) else None
    star = {inspect.Parameter.VAR_POSITIONAL: "*"}
    names = [star.get(p.kind, "") + p.name for p in found if p.kind is not p.VAR_KEYWORD]
    # What hands everything on says in its documentation what it takes.
    vague = {*names} <= {"*args", "*size", "self"}
    told = of_usage(name, value.__doc__) if vague else None
    found_names = [n for n in told or names if n not in ("self", "*args", "orig_func")]
    return found_names or (None if vague and names else [])


def is_public(torch: Any, namespace: str, name: str, value: Any) -> bool:
    """Whether this is a name for users of PyTorch, and no module."""
    if name.startswith("_") or inspect.ismodule(value):
        return False
    if namespace == "torch.Tensor":
        return True
    if isinstance(value, (torch.dtype, float)):
        return True
    module = str(getattr(value, "__module__", None) or "torch")
    if not callable(value) or not module.startswith("torch"):
        return False
    if value is torch.Tensor and namespace != "torch":
        return False
    if namespace == "torch":
        listed = {*torch.__all__, *torch.functional.__all__, *UNLISTED, *TYPES}
        return name in listed and (not isinstance(value, type) or name in TYPES)
    listed = getattr(import_module(namespace), "__all__", None)
    if listed is not None:
        return name in listed
    if namespace == "torch.nn":
        return isinstance(value, type)
    if isinstance(value, type):
        return issubclass(value, Exception)
    return not name.startswith("has_torch_function")


def facts() -> dict[str, dict[str, list[str] | None]]:
    """Return parameters by name, by namespace."""
    import torch

    stubs = Path(torch.__file__).parent / "_C"
    functions = of_stub(stubs / "_VariableFunctions.pyi")
    methods = of_stub(stubs / "__init__.pyi", "TensorBase")
    known = {
        "torch": functions,
        "torch.nn.functional": functions | of_stub(stubs / "_nn.pyi"),
        "torch.Tensor": {name: names[1:] for name, names in methods.items()},
    }
    result = {}
    for namespace in NAMESPACES:
        owner = torch.Tensor if namespace == "torch.Tensor" else import_module(namespace)
        result[namespace] = {
            name: parameters(name, value, known.get(namespace, {}))
            for name in sorted(dir(owner))
            if is_public(torch, namespace, name, value := getattr(owner, name))
        }
    return result


def text() -> str:
    """Return the file's contents: a line for each name."""
    import torch

    version = torch.__version__.partition("+")[0]
    parts = [
        f"{json.dumps(space)}: {{\n"
        + ",\n".join(f"{json.dumps(n)}: {json.dumps(p)}" for n, p in names.items())
        + "\n}"
        for space, names in facts().items()
    ]
    return f'{{"version": {json.dumps(version)},\n' + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
