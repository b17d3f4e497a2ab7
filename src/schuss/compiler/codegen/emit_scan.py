"""Scan: the function that gathers batches and runs the step, many times in one call."""

from __future__ import annotations

from schuss.compiler.codegen.buffer_table import BufferTable, copy_bytes
from schuss.compiler.graph.abi import ARENA, CONTROL, FIRST_BUFFER, ON_DEMAND, STATUS, STEPS_DONE
from schuss.compiler.graph.graph import Graph
from schuss.compiler.schedule.stages import Plan
from schuss.lowering.ir_builder import Function, Scalar

__all__ = ["emit_scan"]


def emit_scan(graph: Graph, plan: Plan, table: BufferTable, *, is_parallel: bool) -> str:
    """Write the function that gathers a batch and runs the step, many times.

    It notes how many steps are done, and stops where a value check fails.

    The table's last entry points to: steps, the index array, then for each input its array
    and number of rows, then for each output the array that takes its values, then the values
    of the graph's numbers for each step (8 bytes a number), or null where they stay, then
    a word for each step, not 0 where it computes the outputs on demand, then the step itself.

    Args:
        graph: what is computed.
        plan: its stages.
        table: where its buffers are.
        is_parallel: whether threads may share it.
    """
    entry = table.entry
    f = Function("scan", ["ptr %table", "i64 %tid", "i64 %nt"], attributes="#1")
    tid, nt = f.parameter("tid", "i64"), f.parameter("nt", "i64")
    arena, control = entry(f, ARENA), entry(f, CONTROL)
    block = entry(f, FIRST_BUFFER + len(graph.inputs) + len(graph.states))
    batch = graph.inputs[0].shape[0] if graph.inputs and graph.inputs[0].shape else 0
    entries = [f.fresh("e") for _ in range(5 + 2 * len(graph.inputs) + len(graph.outputs))]
    for i, name in enumerate(entries):
        kind = "i64" if i == 0 or (2 <= i < 2 + 2 * len(graph.inputs) and i % 2) else "ptr"
        f.emit(f"{name} = load {kind}, ptr {f.address(block, i, 'i64')}")
    low, high = (tid * batch).op("sdiv", nt), ((tid + 1) * batch).op("sdiv", nt)
    with f.loop(0, Scalar(f, entries[0], "i64")) as step:
        for i, node in enumerate(graph.inputs):
            target = entry(f, FIRST_BUFFER + i)
            source, rows = entries[2 + 2 * i], Scalar(f, entries[3 + 2 * i], "i64")
            nbytes = node.nbytes // max(batch, 1)
            with f.loop(low, high) as row:
                place = f.load(entries[1], step * batch + row, "i64")
                place = place.lt(0).where(place + rows, place)
                copy_bytes(f, (target, row * nbytes), (source, place * nbytes), nbytes)
        if graph.numbers:
            with f.when(tid.eq(0)), f.when(f.make(f"icmp ne ptr {entries[-3]}, null", "i1")):
                _set_numbers(f, graph, table, (arena, entries[-3]), step)
        if graph.on_demand:
            with f.when(tid.eq(0)):
                f.store(f.load(entries[-2], step, "i64"), "%table", ON_DEMAND)
        if is_parallel:
            f.emit(f"call void @schuss_barrier(ptr {control}, i64 %tid, i64 %nt)")
        f.emit(f"call void {entries[-1]}(ptr %table, i64 %tid, i64 %nt)")
        if plan.checking:
            f.leave(f.load(arena, STATUS, "i64").ne(0))
        with f.when(tid.eq(0)):
            f.store(step + 1, arena, STEPS_DONE // 8)
            for i, node in enumerate(graph.outputs):
                target = entries[2 + 2 * len(graph.inputs) + i]
                with f.when(f.make(f"icmp ne ptr {target}, null", "i1")):
                    buffer = table.pointer(f, arena, plan.layouts.of(node).root, {})
                    where = (target, step * node.nbytes)
                    copy_bytes(f, where, (buffer, f.number(0)), node.nbytes)
    return f.text("")


def _set_numbers(
    f: Function, graph: Graph, table: BufferTable, memory: tuple[str, str], step: Scalar
) -> None:
    """Copy a step's values of the graph's numbers to where the stages read them.

    Args:
        f: the function that is written.
        graph: has the numbers.
        table: where they are.
        memory: the arena, and the values for all steps.
        step: which one it is.
    """
    arena, values = memory
    count = len(graph.numbers)
    for i, node in enumerate(graph.numbers):
        target = table.pointer(f, arena, node, {})
        at = (step * count + i) * 8
        copy_bytes(f, (target, f.number(0)), (values, at), node.nbytes)
