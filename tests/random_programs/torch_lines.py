"""Lines of PyTorch, each an expression (a change: a statement) about what stands in braces.

x is a value of the table's kind, y another one, z a float, i integers, m a mask; u is x without
equal elements, of which PyTorch takes any; d an axis, e one that is not negative, k an index along
d, low and count a part of it. (PyTorch's hardsigmoid is left out: its sixth is a float32's.)
"""

from __future__ import annotations

__all__ = ["ALONG", "CHANGES", "FLOATS", "INTEGERS", "MASKS", "MOVES"]

# Views, slices and movements of anything.
MOVES = """\
{x}.diagonal()
{x}.diagonal(-1, 0, 1)
{x}.diagonal(dim1=-2, dim2=-1)
{x}.repeat({twice})
{x}.repeat(2)
{x}.repeat_interleave(2)
{x}.tile((2, 1))
{x}.expand_as(T.stack([{x}, {x}]))
{x}.reshape({x}.shape[0], -1)
{x}.chunk(2, {d})[0]
T.split({x}, {count}, {d})[-1]
T.stack([{x}, {x}], -1)
T.cat(({x}, {x}), -1)
T.flip({x}, (0, -1))
T.roll({x}, (1, -1), (0, -1))
T.roll({x}, 2)
{x}.take_along_dim({x}.argsort(-1, stable=True), -1)
T.index_select({x}, 0, T.tensor([0, 0]))
{x}.masked_fill({x} == {x}.max(), 0)
{x}.unsqueeze(-1).squeeze(-1)
{x}.squeeze((0, -1))
T.atleast_2d({x})
{x}.swapdims(0, -1)
T.moveaxis({x}, 0, -1)
{x}.mT
{x}.T
{x}.view(*{x}.shape, 1)
{x}.new_full((2,), 3) + {x}.reshape(-1)[:2]
T.take_along_dim({x}, {x}.argmax(-1, keepdim=True), -1)
{x}.unflatten(0, (1, -1))
T.tril({x}, 1)
T.broadcast_to({x}, (2, *{x}.shape))
{x}.reshape(1)
{x}[None]
{x}.unsqueeze(0)
{x}.view(1, 1)
{x}.expand(3)
{x}.transpose({d}, {e})
{x}.reshape(-1)
{x}.flatten({e})
{x}.unsqueeze({d})
{x}.squeeze()
{x}.squeeze({d})
{x}.narrow({d}, {low}, {count})
{x}.select({d}, {k})
{x}.flip({d})
{x}.roll({k}, {d})
{x}.unbind({d})[{k}]
{x}.chunk(3, {d})[-1]
{x}.split({count}, {d})[0]
{x}.index_select({d}, T.tensor({picked}))
{x}[T.tensor({picked})]
{x}[:, [0, -1]]
T.cat([{x}, {y}], {d})
T.stack([{x}, {x}], {d})
{x}.repeat_interleave(2, {d})
{x}.tile(2)
{x}.diagonal(0, -2, -1)
{x}.diagonal(1, 0, 1)
{x}.tril()
{x}.triu(1)
{x}.movedim({d}, {e})
{x}.swapaxes({d}, {e})
T.diag({x})
{x}.view({x}.shape)
{x}.reshape({x}.shape[::-1])
{x}.unflatten({d}, (-1, 1))
{x}.contiguous()
{x}.ravel()
{x}.take_along_dim({x}.argsort({d}, stable=True), {d})
{x}.gather({d}, {x}.argsort({d}, descending=True, stable=True))
{x}.permute({order})
{x}[..., {item}]
{x}[{item}]
{x}.narrow({d}, {low}, {count})
{x}.split({count}, {d})[0]
{x}.unsqueeze({e}).expand({expanded})
{x}[None]
{x}.expand(3, *{x}.shape)
{x}.reshape(1, -1)
{x}.view(-1, 1)
{x}[{items}]
{x}[{items}]
{x}[{items}]
""".splitlines()

# Changes in place, of a copy x of something.
CHANGES = """\
{x}{part} = {number}
{x}{part} += {number}
{x}{part}.fill_({number})
{x}[{x} > 0] = {number}
{x} *= 2
{x}{part} *= 2
{x}.add_({x}, alpha=2)
{x}.clamp_(-1, 1)
{x}.zero_()
{x}{part} = {x}{part} * 2
{x}.mul_({number})
{x}{part} = {z}
{x}{part}.copy_({z})
{x} += {z}
{x}{part} -= {z}.mean()
{x}.T[...] = {z}
{x}{part} = {x}.sum()
{x}.div_(2.0)
{x}.sub_({z})
{x} += 1
{x}.mul_(2)
{x}.fill_(2)
{x} = {x}.clone()
{x} = {x} * 1.5
""".splitlines()

# Of floats.
FLOATS = """\
{x}.add({y}, alpha=0.3)
{x}.sub({y}, alpha=2)
{x}.mul({y}).div(2)
{x}.div({y}.abs() + 0.5, rounding_mode='floor') + {x}
{x}.addcmul({x}, {y}, value=0.5)
{x}.addcdiv({x}, {y}.abs() + 1, value=0.5)
{x}.pow(2)
{x}.clamp_min({y})
{x}.clip(-1, 1)
T.clamp({x}, min={y}, max={y} + 1)
{x}.nan_to_num()
{x}.fmod(1.5)
{x}.frac()
{x}.trunc() * 0.1 + {x}
{x}.square()
{x}.heaviside({y})
{x}.logit(eps=0.1)
{x}.sigmoid().logit()
T.xlogy({x}.abs(), {y}.abs() + 0.1)
{x}.sinc()
{x}.exp2().clamp(max=9)
{x}.abs().add(0.1).log2()
T.bmm({x}, {y})
T.mv({x}, {y})
{x}.dot({y})
T.mm({x}, {y})
T.matmul({x}, {y})
T.baddbmm({x}, {x}, {y})
T.cdist({x}, {y}, compute_mode='donot_use_mm_for_euclid_dist')
F.cosine_similarity({x}, {y})
F.pairwise_distance({x}, {y})
T.cross({x}, {y})
T.kron({x}, {y})
T.cumulative_trapezoid({x})
F.pad({x}, (1, 2))
F.pad({x}, (1, 0, 0, 1), value=0.5)
F.glu(T.cat([{x}, {x}], -1))
F.batch_norm({x}, None, None, training=True)
F.rms_norm({x}, {x}.shape[-1:])
F.layer_norm({x}, {x}.shape[-2:])
F.group_norm({x}, 1)
F.dropout({x}, 0.5, training=False)
F.celu({x}, 0.5)
F.hardtanh({x}, -0.5, 0.5)
F.threshold({x}, 0.1, 0.5)
F.tanhshrink({x})
F.softshrink({x}, 0.2)
F.prelu({x}, {y}.mean().abs().reshape(1))
F.l1_loss({x}, {y})
F.binary_cross_entropy({x}.sigmoid(), {y}.sigmoid(), reduction='sum')
F.soft_margin_loss({x}, {y}.sign())
F.poisson_nll_loss({x}.clamp(max=2), {y}.abs())
F.gaussian_nll_loss({x}, {y}, {y} ** 2 + 0.1)
T.nn.MSELoss(reduction='sum')({x}, {y})
T.full_like({x}, 0.3) * {x}
T.ones({x}.shape, dtype=T.float64) * {y}
{x}.lerp({y}, 0.7)
T.lerp({x}, {y}, {x}.sigmoid())
{x}.to(T.float64).clone()
{x}.float().double()
{x}.where({x} > 0, {y})
T.where({x} > {y}, {x}, 0.5)
T.stack([{x}, {y}]).mean(0)
T.cat([{x}, {y}]).sum(0)
T.block_diag({x}, {y})
T.vstack([{x}, {y}])
{x}.scatter(0, {i}.abs() % {x}.shape[0], 0.5)
{x}.index_add(0, {i}.reshape(-1)[:2] % {x}.shape[0], {x}[:2])
{x}.scatter_add(-1, {x}.argsort(-1, stable=True), {x})
{x}.index_fill(0, T.tensor([0]), 0.5)
{x}.log_softmax(-1).exp()
{x}.abs() ** {y}.sigmoid()
{x}[{x}.argmax(0)]
{x}[:, {i} % {x}.shape[1]]
{x}[{i}.abs() % {x}.shape[0], 0]
{x}[{m}].sum()
{x}[{m}, 0].sum()
{x}.masked_select({x} > 0).sum()
T.einsum('i,j->ij', {x}, {y})
T.einsum('ij,ij->', {x}, {y})
T.einsum('ii->i', {x})
T.einsum('bij,bkj->bik', {x}, {y})
{x}.matmul({y}.mT)
{x}.T @ {x}
{x} + {y}
{x} * {y}
{y} - {x}
{x} / ({y}.abs() + 0.5)
T.maximum({x}, {y})
T.minimum({x}, {y})
T.where({x} > {y}, {x}, {y} * 2)
T.where({x} > 0, {x}, 0.0)
T.where({x} > 0.3, 1.0, {x})
{x}.masked_fill({x} < 0, 0.25)
{x}.clamp(min=-0.5)
{x}.clamp(-0.7, 0.8)
{x}.clamp_max(0.4)
T.lerp({x}, {y}, 0.3)
{x}.tanh()
{x}.sigmoid()
{x}.exp().clamp(max=50.0)
({x}.abs() + 0.1).log()
({x} ** 2 + 0.1).sqrt()
{x}.abs()
{x} ** 3
({x}.abs() + 0.2) ** 1.5
({x}.abs() + 0.2).rsqrt()
{x}.sin() * {x}.cos()
{x}.sign() * {x}
{x}.round() + {x}
{x}.floor() * 0.5 + {x}
{x} % 1.5
T.remainder({x}, -0.7)
{x}.erf()
{x}.expm1().clamp(max=20.0)
({x}.abs()).log1p()
F.relu({x})
F.gelu({x})
F.gelu({x}, approximate='tanh')
F.silu({x})
F.softplus({x})
F.elu({x}, 0.7)
F.leaky_relu({x}, 0.2)
F.hardswish({x})
F.mish({x})
F.selu({x})
F.relu6({x} * 4)
F.logsigmoid({x})
F.softsign({x})
T.hypot({x}, {y}.abs() + 0.1)
T.atan2({x}, {y} + 2.0)
T.logaddexp({x}, {y})
{x}.detach() * {x}
{x}.reciprocal().clamp(-9, 9)
{x} @ {y}
{x} @ {y}.T
{x}.transpose(-1, -2) @ {y}
T.matmul({x}, {x}.transpose(-1, -2))
T.outer({x}.reshape(-1)[:9], {y}.reshape(-1)[:7])
T.einsum('ij,kj->ik', {x}, {y})
T.einsum('bij,bjk->bik', {x}, {y})
T.einsum('ij->ji', {x})
T.einsum('...i,...i->...', {x}, {y})
T.tensordot({x}, {y}, 1)
F.linear({x}, {y})
T.addmm({x}, {x}, {y}, alpha=0.5)
F.layer_norm({x}, {x}.shape[-1:])
F.mse_loss({x}, {y})
F.smooth_l1_loss({x}, {y}, reduction='none', beta=0.5)
F.huber_loss({x}, {y}, reduction='sum')
F.binary_cross_entropy_with_logits({x}, {y}.sigmoid())
F.kl_div({x}.log_softmax(-1), {y}.softmax(-1), reduction='batchmean')
T.zeros_like({x}) + {x}
T.arange({x}.shape[-1], dtype=T.float64) + {x}
T.linspace(0, 1, 5, dtype=T.float64) * {x}.sum()
{x}.new_zeros(3) + {x}.mean()
T.eye(3, dtype=T.float64) * {x}.sum()
-{x}
2 - {x}
1 / ({x} * {x} + 1)
{x} + {x}.shape[0]
({x} > {y}).double() * {x}
{x}.isfinite() * {x}
T.diff({x})
T.trace({x})
T.meshgrid({x}, {y}, indexing='ij')[1]
{x} * {i}
{x} + {i}.double()
{x} ** {i}.clamp(0, 3)
{x}[{i} % {x}.shape[0]]
T.where({i} > 0, {x}, {i})
F.embedding({i}.abs() % {x}.shape[0], {x})
F.cross_entropy({x}, {labels})
F.cross_entropy({x}, {labels}, label_smoothing=0.2)
F.nll_loss({x}.log_softmax(1), {labels}, reduction='none')
{x}.gather(0, ({i} % {x}.shape[0]).reshape(-1, 1)[:, :1])
T.where({m}, {x}, -{x})
{x} * {m}
{x}.masked_fill({m}, -0.5)
{x} * (~{m}).double()
{m}.double().sum() * {x}
T.where({m}, {x}, -{x})
{x} * {m}
{x}.masked_fill({m}, -0.5)
{x} * (~{m}).double()
{m}.double().sum() * {x}
""".splitlines()

# Of floats along an axis.
ALONG = """\
{x}.max({d}{keep})[0]
{x}.min({d}{keep}).values
{x}.var({d}, unbiased=False{keep})
{x}.std({d}, unbiased=False)
{u}.sort({d}).values
{u}.sort({d}, descending=True)[0]
{u}.median({d}).values
{x}.norm(1, {d})
{x}.norm(2, {d}{keep})
{x}.norm(p=3)
{x}.norm(float('inf'), {d})
{x}.std({d})
{x}.var()
{x}.nansum({d})
{x}.aminmax().max
{u}.cummax({d}).values
{x}.logcumsumexp({d})
{u}.kthvalue(1, {d}).values
T.sum({x}, {d})
T.mean({x}, ({d},){keep})
T.softmax({x}, {d})
T.max({x}, {d}).values
T.amax({x}, ({d},))
T.sort({u}, {d}).values
T.topk({u}, 1, {d}).values
T.var_mean({x}, {d}, correction=0)[0]
F.normalize({x}, dim={d})
F.softmin({x}, {d})
{u}.quantile(0.3, {d})
{x}.mean(({d}, ), keepdim=True) * {x}
T.linalg.norm({x}, dim={d})
T.linalg.vector_norm({x}, 3, {d})
{x}.cumsum({d}).flip({d})
{x}.diff(dim={d})
{x}.unfold({d}, 2, 1)
{x}.sum()
{x}.mean()
{x}.max()
{x}.softmax(0)
{x}.cumsum(0)
{x}.std(correction=0)
{x}.logsumexp(0)
{x}.norm()
{x}.sum({d}{keep})
{x}.mean({d}{keep})
{x}.prod({d}{keep})
{x}.prod()
{x}.amax({d}{keep})
{x}.amin()
{x}.var({d}, correction=0{keep})
({x} + T.arange({x}.shape[-1], dtype=T.float64)).std({d}, correction=0{keep})
{x}.softmax({d})
F.log_softmax({x}, {d})
{x}.logsumexp({d}{keep})
{x}.cumsum({d})
{x}.cumprod({d})
{u}.topk(2, {d})[0]
{u}.topk(1, {d}, largest=False).values
{u}.median()
{x}.norm(dim={d}{keep})
{x} - {x}.mean({d}, keepdim=True)
{x} / {x}.abs().sum({d}, keepdim=True).clamp(min=0.1)
{x}.sum((0, -1))
{x}.sum(0)
T.count_nonzero({x} > 0, {d}) * 0.5
""".splitlines()

# Of integers.
INTEGERS = """\
{x}.sort({d}, stable=True)[1]
{z}.max(-1)[1]
{z}.min(-1).indices
{z}.sort(-1, stable=True)[1]
{z}.topk(1, -1)[1]
{x}.repeat(2)
T.bincount({x}.abs().reshape(-1), minlength=40)
F.one_hot({x}.abs() % 5, 5)
F.one_hot({x}.abs())
T.floor_divide({x}, 2)
T.div({x}, 2, rounding_mode='floor')
T.div({x}, 2, rounding_mode='trunc')
{x}.fmod(3)
T.remainder({x}, -3)
{x}.float().double()
{x}.eq({y})
{x}.min({d}).values
{u}.cummax({d}).indices
{x}.nonzero().sum()
T.searchsorted({z}.reshape(-1).sort().values, {z}.reshape(-1))
{x}.to(T.float64)
{x}.type_as({z})
{x}.diff()
{x}.amax()
{x}.unique()
{x}.mean(dtype=T.float64)
{x}.remainder({y}.abs() + 1)
{x} + {y}
{x} * {y}
{x} - 3
{x} // 2
{x} // -3
{x} % 3
{x} % -4
{x} // ({y}.abs() + 1)
{x} / 2
{x}.abs()
-{x}
{x}.sign()
{x}.clamp(-1, 2)
{x} > {y}
{x} == {y}
{x} != 0
{x}.double()
{x} * 0.5
{x}.bool()
{x}.sum({d})
{x}.max()
{x}.cumsum({d})
{x}.argmax({d})
{x}.argsort({d}, descending=True, stable=True)
{x} & 3
{x} | {y}
{x} ^ 5
~{x}
{x} << 1
{x} >> 1
{x} ** 2
{x}.prod()
T.maximum({x}, {y})
T.arange({x}.numel())
T.where({x} > 0, {x}, {y})
{x}.all()
{z}.argmax(-1)
{z}.argsort(-1, stable=True)
{z}.long()
{z}.int().long()
""".splitlines()

# Of masks.
MASKS = """\
{x}.all(-1)
{x}.any(0, keepdim=True)
T.any({x})
{x}.nonzero()
{z}.gt(0.2)
{z}.le({z}.mean())
T.isclose({z}, {z}.round(decimals=1))
{x}.int().long()
{x}.max()
T.where({x}, {z}, 0.5)
{x}.logical_xor({y})
{x}.flip(0)
{x}.sum(0, keepdim=True)
{x}.eq({y})
{x}.ne(True)
{z}[{x}]
{z}.masked_select({x})
{x}.count_nonzero()
~{x}
{x} & {y}
{x} | {y}
{x} ^ {y}
{x} == {y}
{x}.any()
{x}.all()
{x}.any(-1)
{x}.sum()
{x}.sum(-1)
{x}.long()
{x}.double()
{x} * 2
{x} + {x}
T.logical_and({x}, {z} > 0)
{x}.logical_not()
{z} > 0
{z} <= 0.1
({z} > 0) & ({z} < 1)
{z}.isnan()
{x}.cumsum(-1)
T.where({x}, 1, 0)
{x}.double() * {z}
""".splitlines()
