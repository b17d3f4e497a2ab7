"""Scans as native loops: values, gradients, and programs that do not grow with the steps."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn, scan
from schuss.compiler.kernels.micro_kernel import is_supported, tile_shape
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.trace.loop import Loop
from schuss.lowering.llvm_types import kind_of
from schuss.primitives.panels import panel_product


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


T, B, N = 5, 4, 3
W, V, H, X = values(N, N, seed=1), values(N, seed=2), values(B, N, seed=3), values(T, B, N, seed=4)
ROWS = np.array([[0, 2, 1, 1], [2, 2, 0, 1], [1, 0, 0, 2], [0, 1, 2, 2], [1, 1, 1, 0]])


def tanh_cell(w, v, h, x):
    def step(h, x):
        h = ss.tanh(x @ w + h @ w.T + v)
        return h, h

    return scan(step, h, x)


def backwards(w, v, h, x):
    return scan(lambda h, x: (ss.tanh(x + h @ w) * v,) * 2, h, x, reverse=True)


def before_the_step(w, v, h, x):
    return scan(lambda h, x: (ss.sin(h @ w + x * v), (h, x)), h, x)


def swapped(w, v, h, x):
    def step(carry, x):
        a, b = carry
        return (b, ss.tanh(a @ w + x)), a * v

    return scan(step, (h, h * 2), x)


def handed_on(w, v, h, x):
    """One value is carried as it is, another one is the same twice, a third depends on no carry."""

    def step(carry, x):
        same, a, b, of_x = carry
        new = ss.tanh(a @ w + same * x + of_x)
        return (same, new, new, x @ w), (new, new, b)

    return scan(step, (h, h, h, h), x)


def nothing_is_returned(w, v, h, x):
    return scan(lambda h, x: (h * ss.sigmoid(x @ w), None), h, x)[0]


def without_xs(w, v, h, x):
    return scan(lambda h, _: (ss.tanh(h @ w + v), h.sum()), h, length=7)


def of_the_whole_batch(w, v, h, x):
    def step(h, x):
        h = h @ w + x
        return (h - h.mean(0)) / (1 + (h * h).sum(0)), h.max()

    return scan(step, h, x)


def losses(w, v, h, x):
    def step(h, x):
        h = ss.tanh(x + h @ w)
        scores = nn.functional.log_softmax(h @ w * v, 1)
        return h, (scores * x).sum()

    return scan(step, h, x)[1].mean()


def look_ups(w, v, h, x):
    def step(h, rows):
        h = ss.tanh(w[rows] + h * v)
        return h, h

    return scan(step, h, ss.tensor(ROWS))


def look_ups_by_the_carry(w, v, h, x):
    def step(carry, x):
        h, rows = carry
        h = ss.tanh(w[rows] + h * x)
        return (h, ss.argmax(h, 1)), rows

    return scan(step, (h, ss.tensor(ROWS[0])), x)[0][0]


def weights_of_weights(w, v, h, x):
    """What the step computes of weights alone is computed once, and so is the way back."""
    return scan(lambda h, x: (ss.tanh(x + h @ ss.softmax(w, 1)), h * ss.exp(v)), h, x)


def weights_by_the_carry(w, v, h, x):
    """The gradient of w is no product that could be put off."""
    return scan(lambda h, x: (ss.tanh(x @ ss.sin(w * h[:N])), h[0]), h, x)


def integers_are_carried(w, v, h, x):
    def step(carry, x):
        h, n = carry
        return (h + x * n, n + 1), n % 2 == 0

    return scan(step, (h @ w, ss.tensor(0)), x)


def nested(w, v, h, x):
    def outer(h, x):
        def inner(h, row):
            h = ss.tanh(h @ w + row)
            return h, h * v

        h, ys = scan(inner, h, x)
        return h, ys.sum(0)

    return scan(outer, h[0], x)


def one_after_the_other(w, v, h, x):
    h, ys = tanh_cell(w, v, h, x)
    return backwards(w, v, h, ys)


def within_no_grad(w, v, h, x):
    with ss.no_grad():
        start, _ = tanh_cell(w, v, h, x)
    return tanh_cell(w, v, start, x)


def detached(w, v, h, x):
    """The state is cut off from step to step; so is one use of the weights."""
    return scan(lambda h, x: (ss.tanh(x @ w + h.detach() @ w.detach()) + v,) * 2, h, x)


FUNCTIONS = [
    tanh_cell, backwards, before_the_step, swapped, handed_on, nothing_is_returned, without_xs,
    of_the_whole_batch, losses, look_ups, look_ups_by_the_carry, weights_of_weights,
    weights_by_the_carry, integers_are_carried, nested, one_after_the_other, within_no_grad,
    detached,
]  # fmt: skip


def leaves(tree):
    if isinstance(tree, tuple):
        return [x for part in tree for x in leaves(part)]
    return [] if tree is None else [tree]


def results_and_gradients(function, inputs):
    """What a function returns, and the gradients of a weighted sum of that."""
    for x in inputs:
        x.grad = None
    found = leaves(function(*inputs))
    total = sum(
        (y * ss.tensor(values(*y.shape, seed=i))).sum()
        for i, y in enumerate(found)
        if y.requires_grad
    )
    total.backward()
    return [y.detach() for y in found], [x.grad for x in inputs]


def compilation_of(compiled):
    (build,) = compiled._builds.values()
    return build.compilation


@pytest.fixture
def loops(monkeypatch):
    """How many loops were traced."""
    made = []
    begin = Loop.__init__

    def counted(self, *args, **options):
        made.append(self)
        begin(self, *args, **options)

    monkeypatch.setattr(Loop, "__init__", counted)
    return made


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_compiled_equals_eager(function, loops):
    inputs = [ss.tensor(a, requires_grad=True) for a in (W, V, H, X)]
    expected = results_and_gradients(function, inputs)
    compiled = ss.compile(lambda *inputs: results_and_gradients(function, inputs))
    for _ in range(2):
        found = compiled(*inputs)
        for mine, theirs in zip(found, expected, strict=True):
            for y, z in zip(mine, theirs, strict=True):
                assert (y is None) == (z is None)
                if y is not None:
                    assert (y.shape, y.dtype) == (z.shape, z.dtype)
                    np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-10, atol=1e-13)
    assert loops


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradients_equal_central_differences(function):
    def total(*inputs):
        return sum((y * y).sum() for y in leaves(function(*inputs)) if y.dtype.kind == "f")

    if function not in (detached, within_no_grad):
        ss.check_gradients(ss.compile(total), *map(ss.tensor, (W, V, H, X)))


@pytest.mark.parametrize("function", [tanh_cell, swapped, weights_of_weights, losses])
def test_derivatives_of_derivatives_equal_eager(function):
    inputs = [ss.tensor(a) for a in (W, V, H, X)]

    def total(*inputs):
        return sum((y * y).sum() for y in leaves(function(*inputs)))

    def second(*inputs):
        slopes = ss.grad(total, (0, 1, 2, 3))
        return ss.grad(lambda *xs: sum((g * g).sum() for g in slopes(*xs)), (0, 1, 2, 3))(*inputs)

    for y, z in zip(ss.compile(second)(*inputs), second(*inputs), strict=True):
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_program_does_not_grow_with_the_steps(kind):
    layer = getattr(nn, kind)(6, 8, bidirectional=True)

    def step(x):
        layer.zero_grad()
        loss = (layer(x)[0] ** 2).mean()
        loss.backward()
        return loss

    sizes = []
    for steps in (30, 1500, 3000):
        compiled = ss.compile(step)
        compiled(ss.tensor(values(steps, 4, 6).astype(np.float32)))
        module = compilation_of(compiled).module
        sizes.append((len(module.stages), sum(map(len, [*module.loops, *module.plain]))))
    assert sizes[1][0] == sizes[2][0]
    assert sizes[2][1] < 1.03 * sizes[1][1]
    # From some length on, gradients of weights are summed over the steps in parts.
    assert sizes[2][1] < 1.25 * sizes[0][1]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", [None, "given"])
def test_threads_share_the_batch_and_wait_for_nobody(kind, lengths):
    """The steps of a large layer are shared by rows; each is verified in many orders of threads."""
    layer = getattr(nn, kind)(16, 32)
    x = ss.tensor(values(20, 24, 16).astype(np.float32), requires_grad=True)
    ends = None if lengths is None else ss.tensor(np.arange(24) % 20 + 1)

    def step(x):
        x.grad = None
        layer.zero_grad()
        loss = (layer(x, lengths=ends)[0] ** 2).mean()
        loss.backward()
        return loss

    compiled = ss.compile(step)
    compiled(x)
    stages = compilation_of(compiled).plan.stages
    shared = [s.kernel.rows for s in stages if s.is_kernel and s.nodes[0].op == "loop"]
    assert shared == [24, 24]
    mine = [g.numpy().copy() for g in (x.grad, *[p.grad for p in layer.parameters()])]
    step(x)
    for y, z in zip(mine, (x.grad, *[p.grad for p in layer.parameters()]), strict=True):
        np.testing.assert_allclose(y, z.numpy(), rtol=2e-4, atol=2e-7)


def test_threads_share_the_steps_where_nothing_is_carried():
    """Each with temporaries of its own; verified in many orders of threads."""
    x = ss.tensor(values(6, 40, 24))

    def attention(x):
        def step(_, rows):
            shares = ss.softmax(rows @ rows.T, -1)
            return None, scan(
                lambda y, r: (ss.tanh(y + r @ rows.T @ rows), y), rows[0], shares @ rows
            )

        return scan(step, None, x)[1]

    compiled = ss.compile(attention)
    found = compiled(x)
    stages = compilation_of(compiled).plan.stages
    (plan,) = [s.kernel for s in stages if s.is_kernel and s.nodes[0].op == "loop"]
    assert plan.by_steps
    assert plan.partitionings[0].count == 6
    for y, z in zip(found, attention(x), strict=True):
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-12)


def test_temporaries_of_shared_steps_are_each_threads_own(monkeypatch):
    """Threads that really run at once, at products that pack their factors in scratch memory."""
    x = ss.tensor(values(8, 192, 160).astype(np.float32))

    def attention(x):
        def step(_, rows):
            again = scan(lambda y, _: (ss.tanh(y @ rows.T @ rows / 160.0), None), rows, length=3)
            return None, again[0]

        return scan(step, None, x)[1]

    compiled = ss.compile(attention)
    monkeypatch.setattr(ThreadTuner, "always", 1)
    wanted = compiled(x).numpy().copy()
    stages = compilation_of(compiled).plan.stages
    (plan,) = [s.kernel for s in stages if s.is_kernel and s.nodes[0].op == "loop"]
    assert plan.by_steps
    assert plan.arena
    assert plan.scratch_bytes > plan.arena
    monkeypatch.setattr(ThreadTuner, "always", 2)
    for _ in range(20):
        np.testing.assert_array_equal(compiled(x).numpy(), wanted)
    np.testing.assert_allclose(wanted, attention(x).numpy(), rtol=1e-3, atol=1e-4)


def test_products_are_outside_of_the_loop():
    """Those of the input come before it, those for weights and inputs after it."""
    w, u = (ss.tensor(values(N, N, seed=i), requires_grad=True) for i in (1, 2))
    x = ss.tensor(X, requires_grad=True)

    @ss.compile
    def step(x):
        for p in (w, u, x):
            p.grad = None
        last, _ = scan(lambda h, x: (ss.tanh(x @ w + h @ u), None), ss.tensor(H), x)
        last.sum().backward()

    step(x)
    plan = compilation_of(step).plan
    outside = [n for s in plan.stages for n in s.nodes if n.op == "matmul"]
    inside = [
        [n.op for n in stage.nodes[0].attributes["body"].graph.nodes()].count("matmul")
        for stage in plan.stages
        if stage.is_kernel and stage.nodes[0].op == "loop"
    ]
    assert sorted(n.shape for n in outside) == [(N, N), (N, N), (T * B, N), (T * B, N)]
    assert inside == [1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [128, 200, 100])
def test_large_factors_are_packed_once(dtype, columns):
    """Also where columns fill no whole panels, and where what is carried lies across."""
    shape = tile_shape(kind_of(np.dtype(dtype)))
    u = ss.tensor(values(64, columns, seed=1).astype(dtype) / 8, requires_grad=True)
    v = ss.tensor(values(columns, 64, seed=2).astype(dtype) / 8, requires_grad=True)
    h = ss.tensor(values(64, 48, seed=3).astype(dtype), requires_grad=True)

    def run():
        for p in (u, v, h):
            p.grad = None
        last, _ = scan(lambda h, _: (ss.tanh(ss.tanh(h.T @ u) @ v).T, None), h, length=4)
        last.sum().backward()
        return [last.detach(), u.grad, v.grad, h.grad]

    expected = run()
    compiled = ss.compile(run)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for y, z in zip(compiled(), expected, strict=True):
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=tolerance, atol=tolerance)
    bodies = [
        stage.nodes[0].attributes["body"].graph
        for stage in compilation_of(compiled).plan.stages
        if stage.is_kernel and stage.nodes[0].op == "loop"
    ]
    packed = [[n.op for n in graph.nodes()].count("panel_product") for graph in bodies]
    # On the way back one of them is the first factor, of what lies across.
    assert packed == ([2, 1] if is_supported(shape.kind, 64) else [0, 0])


def test_the_value_of_a_product_by_panels():
    x, y = values(3, 4), values(4, 5, seed=1)
    panels = np.pad(y, ((0, 0), (0, 1))).reshape(4, 3, 2).transpose(1, 0, 2)
    found = panel_product.value(x, panels, columns=5)
    np.testing.assert_allclose(found, x @ y, rtol=1e-14)


def test_values_in_a_step_are_checked():
    @ss.compile
    def run(w, rows):
        return scan(lambda h, r: (h + w[r], None), w[0], rows)[0]

    w = ss.tensor(W)
    np.testing.assert_allclose(run(w, ss.tensor([0, 1, 2])).numpy(), W[0] + W.sum(0))
    with pytest.raises(IndexError, match="index"):
        run(w, ss.tensor([0, 1, 3]))


def test_what_changes_tensors_outside_is_unrolled(loops):
    count = ss.tensor(0.0)

    def run(x):
        def step(h, x):
            count.add_(1.0)
            return h + x * count, None

        return scan(step, ss.tensor(0.0), x)[0]

    x = ss.tensor([1.0, 2.0, 3.0])
    compiled = ss.compile(run)
    assert float(compiled(x)) == 14
    assert float(compiled(x)) == 32
    assert float(count) == 6
    assert not loops
    with pytest.raises(ss.errors.TraceError, match="changes tensors outside of it"):
        ss.compile(run)(ss.ones(1001))


def spectrum(x):
    """What NumPy computes, called from a program."""
    return ss.fft.rfft_as_real(x, dim=0)


def rows_of_a_spectrum(w, x):
    return scan(lambda h, r: (ss.tanh(h * 0.5 + r * w), h * r), w, spectrum(x).reshape((-1, N)))[1]


def a_spectrum_of_what_is_outside(w, x):
    return scan(lambda h, r: (ss.tanh(h * 0.5 + r * spectrum(w).sum()), h * r), w, x)[1]


def a_spectrum_of_each_step(w, x):
    return scan(lambda h, r: (ss.tanh(h * 0.5 + spectrum(r).sum()), h * r), w, x)[1]


@pytest.mark.parametrize("function", [rows_of_a_spectrum, a_spectrum_of_what_is_outside])
def test_what_numpy_computes_outside_of_a_step_is_no_obstacle(function, loops):
    inputs = [ss.tensor(a, requires_grad=True) for a in (V, X[:, 0])]
    expected = results_and_gradients(function, inputs)
    found = ss.compile(lambda *inputs: results_and_gradients(function, inputs))(*inputs)
    for ours, right in zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True):
        np.testing.assert_allclose(ours.numpy(), right.numpy(), rtol=1e-12, atol=1e-12)
    assert loops


def test_what_numpy_computes_in_a_step_is_unrolled(loops):
    inputs = [ss.tensor(a) for a in (V, X[:, 0])]
    found = ss.compile(a_spectrum_of_each_step)(*inputs).numpy()
    np.testing.assert_allclose(found, a_spectrum_of_each_step(*inputs).numpy(), rtol=1e-12)
    assert not loops
    with pytest.raises(ss.errors.TraceError, match="calls half_spectrum, which is NumPy's"):
        ss.compile(a_spectrum_of_each_step)(inputs[0], ss.ones((1001, N), dtype="float64"))


def test_random_numbers_in_a_step_are_those_of_eager_evaluation():
    def run(x):
        return scan(lambda h, x: (h + ss.rand(3) * x, None), ss.zeros(3), x)[0]

    ss.manual_seed(4)
    expected = run(ss.ones(6))
    ss.manual_seed(4)
    np.testing.assert_allclose(ss.compile(run)(ss.ones(6)).numpy(), expected.numpy(), rtol=1e-6)


def test_a_tensor_of_a_step_kept_outside_is_an_error():
    @ss.compile
    def run(x):
        kept = []

        def step(h, x):
            kept.append(h + x)
            return h + x, None

        return scan(step, ss.tensor(0.0), x)[0] + kept[0]

    with pytest.raises(ss.errors.TraceError, match="return it from the step"):
        run(ss.ones(3))


def test_a_second_pass_back_is_the_errors_of_eager_evaluation():
    w = ss.tensor(W, requires_grad=True)

    def run(x):
        w.grad = None
        last, _ = scan(lambda h, x: (ss.tanh(x + h @ w), None), ss.tensor(H), x)
        loss = last.sum()
        loss.backward(retain_graph=True)
        loss.backward()
        return loss

    run(ss.tensor(X))
    expected = w.grad.numpy().copy()
    ss.compile(run)(ss.tensor(X))
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-12)


def test_vmap_around_a_scan_within_compile():
    def run(h, x):
        return ss.vmap(lambda h, x: scan(lambda h, x: (ss.tanh(h + x), h), h, x), (0, 1))(h, x)

    for y, z in zip(
        ss.compile(run)(ss.tensor(H), ss.tensor(X)), run(ss.tensor(H), ss.tensor(X)), strict=True
    ):
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-12)


def test_an_inner_loop_with_several_results():
    def inner(x):
        def step(carry, _):
            t, total = carry
            rows = x[t * 2 + ss.arange(2)]
            scores = rows @ x.T
            return (t + 1, total + scores.T @ rows), scores @ x

        start = (ss.tensor(0), ss.zeros_like(x))
        (_, total), ys = scan(step, start, length=len(x) // 2)
        return total, ys.reshape(x.shape)

    def run(x):
        return scan(lambda _, part: (None, inner(part)), None, x)[1]

    x = ss.tensor(np.random.default_rng(0).normal(size=(3, 4, 2)))
    for y, z in zip(ss.compile(run)(x), run(x), strict=True):
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-12)


@pytest.mark.parametrize("number", [-np.inf, np.inf, np.nan, 2.5])
def test_numbers_of_all_kinds_within_a_loop(number):
    def run(x):
        def step(carry, _):
            t, h = carry
            y = ss.where(ss.arange(3) <= t, h + x, number)
            return (t + 1, ss.where(y.isfinite(), y, 1.0)), (y, y.amax())

        return scan(step, (ss.tensor(0), x), length=3)[1]

    x = ss.tensor([0.5, -1.0, 2.0])
    for y, z in zip(ss.compile(run)(x), run(x), strict=True):
        np.testing.assert_array_equal(y.numpy(), z.numpy())
