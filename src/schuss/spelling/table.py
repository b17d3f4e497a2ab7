"""Every function and method with PyTorch's arguments: one line for each.

A line has the faces, the names, after "=" what does it where that has another name, and the
arguments, where its own are not PyTorch's already. Faces: f is a function of `schuss`, s one of
`schuss.special`, m a method of tensors, i such a method that also exists in place, with a "_"
behind its name, p a method that only does; a digit says that the array API standard has a function
of that name with a meaning of its own, for calls in its spelling, with so many leading arguments
in common. What stands behind an argument's name says what is done with it: "tensor", that it is no
number; "some", that it and the others of that kind are not all numbers; and what `CONVERTERS` in
`arguments.py` say.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ELEMENTWISE", "FUNCTIONS", "METHODS", "SPECIAL", "Entry"]

# Modules whose functions are elementwise, or nearly all.
ELEMENTWISE = frozenset(
    f"schuss.{name}"
    for name in (
        "functions",
        "functions.bessel",
        "functions.error_functions",
        "functions.special",
        "primitives.bits",
        "primitives.elementwise",
        "primitives.logic",
        "primitives.powers",
        "primitives.trigonometry",
        "pytorch.arithmetic",
        "pytorch.special",
    )
)

_TABLE = {
    "schuss.primitives.elementwise": """
        fmi abs absolute = abs (input)
        fmi ceil (input)
        fmi cos (input)
        fmis erf (input)
        fmi exp (input)
        fmis expm1 (input)
        fmi floor (input)
        fmi floor_divide (input, other)
        fmi log (input)
        fmi log10 (input)
        fmis log1p (input)
        fmi log2 (input)
        fm maximum (input: tensor, other: tensor)
        fm minimum (input: tensor, other: tensor)
        fmi multiply mul = multiply (input, other)
        fmi negative neg = negative (input)
        fmi relu (input)
        fmi remainder (input: some, other: some)
        fmi sigmoid (input)
        s expit = sigmoid (input)
        fmi sin (input)
        fmi sqrt (input)
        fmi tanh (input)
        fmi atan2 arctan2 = atan2 (input: tensor, other: tensor)
    """,
    "schuss.primitives.powers": """
        fmi hypot (input: tensor, other: tensor)
        fmi pow power = pow (input: some, exponent: some)
    """,
    "schuss.primitives.trigonometry": """
        fmi acos arccos = acos (input)
        fmi acosh arccosh = acosh (input)
        fmi asin arcsin = asin (input)
        fmi cosh (input)
        fmi sinh (input)
    """,
    "schuss.primitives.logic": """
        fmi bitwise_and (input: some, other: some)
        fmi bitwise_or (input: some, other: some)
        fmi bitwise_xor (input: some, other: some)
        fmi bitwise_invert bitwise_not = bitwise_invert (input)
        fmi eq = equal (input: tensor, other)
        fmi ne not_equal = not_equal (input: tensor, other)
        fmi lt less = less (input: tensor, other)
        fmi le less_equal = less_equal (input: tensor, other)
        fmi gt greater = greater (input: tensor, other)
        fmi ge greater_equal = greater_equal (input: tensor, other)
    """,
    "schuss.primitives.movement": """
        fm reshape (input, *shape)
        m view = reshape (input, *shape)
    """,
    "schuss.primitives.bits": """
        fmi bitwise_left_shift (input: some, other: some)
        fmi bitwise_right_shift (input: some, other: some)
        fmi nextafter (input: tensor, other: tensor)
        fm signbit (input)
    """,
    "schuss.primitives.reduction": """
        fm argmax (input, dim: every=None, keepdim=False)
        fm argmin (input, dim: every=None, keepdim=False)
        fm amax = max (input, dim: every=None, keepdim=False)
        fm amin = min (input, dim: every=None, keepdim=False)
        fm sum (input, dim: every=None, keepdim=False, *, dtype=None)
        fm mean (input, dim: every=None, keepdim=False, *, dtype=None)
        fm broadcast_to (input, size)
    """,
    "schuss.functions.matrices": """
        fm cholesky (input, upper=False)
        fm det (input)
        fm inverse = inv (input)
        fm logdet (input)
        fm matrix_power (input, n)
        fm pinverse (input, rcond=1e-15)
        fm slogdet (input)
    """,
    "schuss.functions.orthogonal": """
        fm matrix_exp (input)
    """,
    "schuss.functions.special": """
        fmi lgamma (input)
        fmis digamma (input)
        s gammaln = lgamma (input)
        s psi = digamma (input)
        fmi mvlgamma = multigammaln (input, p)
        s multigammaln (input, p)
    """,
    "schuss.functions.error_functions": """
        fmis erfc erfinv (input)
        s erfcx ndtr log_ndtr ndtri (input)
    """,
    "schuss.functions.bessel": """
        fmis i0 (input)
        s i0e i1 i1e (input)
    """,
    "schuss.pytorch.special": """
        fs polygamma (n, input)
        mi polygamma = method_polygamma (input, n)
        s entr (input)
        s xlog1py (input: some, other: some)
    """,
    "schuss.short_time": """
        fm stft istft
    """,
    "schuss.primitives.base": """
        f asarray (obj, dtype=None, *, copy=None)
    """,
    "schuss.functions": """
        fmi asinh arcsinh = asinh (input)
        fmi atan arctan = atan (input)
        fmi atanh arctanh = atanh (input)
        fm isfinite (input)
        fm isinf (input)
        fm isnan (input)
        fm logaddexp (input: tensor, other: tensor)
        fmi logical_and (input: tensor, other: tensor)
        fmi logical_not (input)
        fmi logical_or (input: tensor, other: tensor)
        fmi logical_xor (input: tensor, other: tensor)
        fm positive (input)
        fmi reciprocal (input)
        fmi tan (input)
        fmi trunc fix = trunc (input)
        fm all (input, dim: every=None, keepdim=False)
        fm any (input, dim: every=None, keepdim=False)
        fm prod (input, dim: every=None, keepdim=False, *, dtype=None)
    """,
    "schuss.pytorch.arithmetic": """
        fmi add (input, other, *, alpha=1)
        fmi subtract sub = sub (input, other, *, alpha=1)
        f rsub (input: tensor, other, *, alpha=1)
        fmi divide div true_divide = div (input, other, *, rounding_mode=None)
        fmi sign sgn = sign
        fmi fmod (input: tensor, other)
        fmi float_power (input: some, exponent: some)
        fmis xlogy (input: some, other: some)
        fmi square frac rsqrt lerp
        fmis exp2 logit sinc
        fmis round (input, *, decimals=0)
        fmi addcmul (input, tensor1, tensor2, *, value=1)
        fmi addcdiv (input, tensor1, tensor2, *, value=1)
        fmi clamp clip = clamp
        fmi clamp_min (input: tensor, min)
        fmi clamp_max (input: tensor, max)
        fmi copysign (input: tensor, other)
        fmi ldexp (input: tensor, other: tensor)
        fmi nan_to_num deg2rad rad2deg masked_fill
        fm fmax fmin logaddexp2 (input: tensor, other: tensor)
        fmi heaviside (input: tensor, values: tensor)
        fm isclose allclose (input: tensor, other: tensor, rtol=1e-5, atol=1e-8, equal_nan=False)
        fm isposinf isneginf isreal
        fm equal
        f where
        m where = method_where
        fm dist
        f trapezoid trapz = trapezoid
        f cumulative_trapezoid
    """,
    "schuss.pytorch.reductions": """
        fm1 max min (input: tensor, dim=None, keepdim=False, *, other=None)
        fm1 std var
        f var_mean std_mean
        fm norm (input, p="fro", dim: every=None, keepdim=False, dtype=None)
        fm nansum (input, dim: every=None, keepdim=False, *, dtype=None)
        fm nanmean (input, dim: every=None, keepdim=False, *, dtype=None)
        fm aminmax
        fmi cumsum (input, dim=None, *, dtype=None)
        fmi cumprod (input, dim=None, *, dtype=None)
        fm cummax cummin logcumsumexp diff
        fms logsumexp (input, dim: every=None, keepdim=False)
        fms softmax log_softmax
        fm count_nonzero (input, dim: every=None)
    """,
    "schuss.pytorch.statistics": """
        fm quantile nanquantile cov corrcoef
    """,
    "schuss.pytorch.ordering": """
        fm1 sort
        fm argsort msort topk median nanmedian kthvalue mode
        f searchsorted (sorted_sequence, input, *, out_int32=False, right=False, side=None, \
sorter=None)
        f bucketize (input, boundaries, *, out_int32=False, right=False)
        fm unique unique_consecutive histc bincount
        f isin (elements, test_elements, *, assume_unique=False, invert=False)
    """,
    "schuss.pytorch.shapes": """
        fm flip (input, *dims)
        fm1 squeeze
        fm moveaxis movedim = movedim (input, source, destination)
        fm permute (input, *dims)
        fm as_strided
        fm unsqueeze flatten unflatten t rot90 fliplr flipud ravel diagonal diag_embed diag
        fm transpose
        fm swapaxes = transpose (input, axis0, axis1)
        fm swapdims = transpose (input, dim0, dim1)
        fm diagflat trace repeat_interleave take_along_dim
        m expand (input, *size)
        m expand_as reshape_as unfold
        m2 repeat (input, *repeats)
        fm tile (input, *dims)
        fm roll (input, shifts, dims=None)
        fm kron
    """,
    "schuss.pytorch.joining": """
        f cat concat concatenate = cat (tensors, dim=0)
        f stack hstack vstack dstack column_stack
        f row_stack = vstack
        fm split chunk tensor_split hsplit vsplit dsplit unbind
        f meshgrid block_diag broadcast_tensors broadcast_shapes cartesian_prod
        f atleast_1d atleast_2d atleast_3d tril_indices triu_indices
    """,
    "schuss.pytorch.indexing": """
        fm gather index_select masked_select argwhere select narrow
        fm1 nonzero
        fm2 take
    """,
    "schuss.pytorch.scattering": """
        fmi scatter_add scatter index_add index_copy index_fill masked_scatter index_put
        fmi scatter_reduce
        fm select_scatter slice_scatter diagonal_scatter
        mi put = put_at
    """,
    "schuss.pytorch.products": """
        fm matmul mm mv bmm inner
        fm dot vdot = dot
        fm outer ger = outer
        fmi addmm addmv addr baddbmm addbmm
        f chain_matmul einsum cdist vander
        f tensordot (a, b, dims=2)
        fm cross cholesky_solve
    """,
    "schuss.pytorch.creation": """
        f tensor (data, dtype=None, *, requires_grad=False)
        f zeros (*size, dtype=None)
        f ones (*size, dtype=None)
        f empty (*size, dtype=None)
        f full (size, fill_value, *, dtype=None)
        f zeros_like (input, *, dtype=None)
        f ones_like (input, *, dtype=None)
        f empty_like = zeros_like (input, *, dtype=None)
        f full_like (input, fill_value, *, dtype=None)
        f arange (start=None, end=None, step=1, *, dtype=None)
        f linspace
        f logspace (start, end, steps, base=10.0, *, dtype=None)
        f eye (n, m=None, *, k=0, dtype=None)
        f scalar_tensor (s, *, dtype=None)
        f as_tensor = as_tensor_of (data, dtype=None)
        fmi tril triu
        fm clone
        f FloatTensor DoubleTensor IntTensor LongTensor BoolTensor
        m new_zeros (input, *size, dtype=None)
        m new_ones (input, *size, dtype=None)
        m new_empty = new_zeros (input, *size, dtype=None)
        m new_full (input, size, fill_value, *, dtype=None)
        m new_tensor (input, data, *, dtype=None)
    """,
    "schuss.pytorch.windows": """
        f hann_window (window_length, periodic=True, *, dtype=None)
        f hamming_window (window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None)
        f blackman_window (window_length, periodic=True, *, dtype=None)
        f bartlett_window (window_length, periodic=True, *, dtype=None)
        f kaiser_window (window_length, periodic=True, beta=12.0, *, dtype=None)
    """,
    "schuss.pytorch.draws": """
        f rand randn randint randperm normal
        fm multinomial bernoulli
        f rand_like (input, *, dtype=None)
        f randn_like (input, *, dtype=None)
        f randint_like
        p normal_ = filled_normal
        p uniform_ = filled_uniform
        p bernoulli_ = filled_bernoulli
        p exponential_ = filled_exponential
        p random_ = filled_random
    """,
    "schuss.pytorch.tensors": """
        m bool = bool_of
        m float = float_of
        m int = int_of
        m double long cpu cuda type_as view_as contiguous numel element_size
        m half bfloat16 = half
        m to
        m type = type_of
        m dim ndimension = dim
        m nelement = numel
        f numel is_tensor is_same_size can_cast promote_types result_type
        fm is_floating_point is_complex is_nonzero
        m is_contiguous get_device stride is_same_size
        m detach_ = detach_in_place
    """,
}


class Entry(NamedTuple):
    """One name: where what does it is, and with which arguments."""

    module: str
    target: str
    signature: str
    standard: int
    in_place: bool


def _entries() -> tuple[dict[str, Entry], dict[str, Entry], dict[str, Entry]]:
    """Return what each name stands for, as a function, as a method, and in `special`."""
    functions: dict[str, Entry] = {}
    methods: dict[str, Entry] = {}
    special: dict[str, Entry] = {}
    for module, lines in _TABLE.items():
        for line in filter(None, map(str.strip, lines.splitlines())):
            head, opened, signature = line.partition(" (")
            words, _, target = head.partition(" = ")
            faces, *names = words.split()
            standard = int(faces[-1]) if faces[-1].isdigit() else 0
            arguments = signature[:-1] if opened else ""
            for name in names:
                entry = Entry(module, target or name, arguments, standard, "p" in faces)
                if "f" in faces:
                    functions[name] = entry
                if "s" in faces:
                    special[name] = entry
                if "m" in faces or "p" in faces:
                    methods[name] = entry
                if "i" in faces:
                    methods[f"{name}_"] = entry._replace(in_place=True)
    return functions, methods, special


FUNCTIONS, METHODS, SPECIAL = _entries()
