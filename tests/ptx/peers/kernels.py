"""Writes PTX that Triton's compiler makes of common kernels, for the machine to run. Needs no GPU.

    python3 kernels.py FOLDER

One file for each kernel and architecture, and `index`: file, kernel, threads, bytes of dynamic shared memory, and
for each tensor descriptor its box and the number of its swizzle.
"""

import pathlib
import sys

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    tl.store(out + at, tl.load(x + at, mask=mask) + tl.load(y + at, mask=mask), mask=mask)


@triton.jit
def softmax(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    value = tl.load(x + row * n + at, mask=at < n, other=float("-inf"))
    value = tl.exp(value - tl.max(value, 0))
    tl.store(out + row * n + at, value / tl.sum(value, 0), mask=at < n)


@triton.jit
def scan(x, out, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    value = tl.load(x + row * n + at, mask=at < n, other=0.0)
    tl.store(out + row * n + at, tl.cumsum(value, 0), mask=at < n)


@triton.jit
def histogram(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n, other=0)
    tl.atomic_add(out + value % 16, 1, mask=at < n)


@triton.jit
def product(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, TRANSPOSED: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    depth = tl.arange(0, BK)
    pa = a + rows[:, None] * K + depth[None, :]
    if TRANSPOSED:
        pb = b + columns[None, :] * K + depth[:, None]
        step = BK
    else:
        pb = b + depth[:, None] * N + columns[None, :]
        step = BK * N
    total = tl.zeros((BM, BN), dtype=c.dtype.element_ty)
    for k in range(0, K, BK):
        total = tl.dot(tl.load(pa), tl.load(pb), total, out_dtype=c.dtype.element_ty)
        pa += BK
        pb += step
    tl.store(c + rows[:, None] * N + columns[None, :], total)


@triton.jit
def described(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    i = tl.program_id(0) * BM
    j = tl.program_id(1) * BN
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, K, BK):
        total = tl.dot(a.load([i, k]), b.load([j, k]).T, total)
    c.store([i, j], total.to(tl.bfloat16))


@triton.jit
def attention(q, k, v, out, n, BM: tl.constexpr, BN: tl.constexpr, D: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    d = tl.arange(0, D)
    query = tl.load(q + rows[:, None] * D + d[None, :])
    peak = tl.full((BM,), float("-inf"), dtype=tl.float32)
    weight = tl.zeros((BM,), dtype=tl.float32)
    total = tl.zeros((BM, D), dtype=tl.float32)
    for start in range(0, n, BN):
        columns = start + tl.arange(0, BN)
        key = tl.load(k + columns[None, :] * D + d[:, None])
        value = tl.load(v + columns[:, None] * D + d[None, :])
        score = tl.dot(query, key) * (1.4426950408889634 / 8)
        score = tl.where(rows[:, None] >= columns[None, :], score, float("-inf"))
        higher = tl.maximum(peak, tl.max(score, 1))
        p = tl.exp2(score - higher[:, None])
        scale = tl.exp2(peak - higher)
        weight = weight * scale + tl.sum(p, 1)
        total = tl.dot(p.to(value.dtype), value, total * scale[:, None])
        peak = higher
    tl.store(out + rows[:, None] * D + d[None, :], total / weight[:, None])


def write(folder, index, kernel, name, arch, signature, constants, warps, stages):
    names = list(signature)
    pointers = [at for at, of in enumerate(signature.values()) if of.startswith("*")]
    sizes = [at for at, name in enumerate(names) if name in ("N", "K") or name == "n" and kernel is attention]
    attributes = {(at,): [["tt.divisibility", 16]] for at in pointers + sizes}
    signature = signature | {name: "constexpr" for name in constants}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    options = {"num_warps": warps, "num_stages": stages}
    made = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    file = f"{name}_{arch}.ptx"
    (folder / file).write_text(made.asm["ptx"])
    line = f"{file} {made.metadata.name} {warps * 32} {made.metadata.shared}"
    for box in getattr(made.metadata, "tensordesc_meta", None) or []:
        line += f" {box['block_size'][0]}x{box['block_size'][1]}/{box['swizzle']}"
    index.append(line)


def products(folder, index, arch):
    kinds = [("bf16", "bf16", "fp32"), ("fp16", "fp16", "fp32"), ("tf32", "fp32", "fp32"), ("s8", "i8", "i32")]
    if arch >= 89:
        kinds += [("e4m3", "fp8e4nv", "fp32"), ("e5m2", "fp8e5", "fp32")]
    for kind, of, result in kinds:
        signature = {"a": f"*{of}", "b": f"*{of}", "c": f"*{result}", "M": "i32", "N": "i32", "K": "i32"}
        for transposed in [1, 0]:
            depth = {"fp32": 32, "i8": 64}.get(of, 64)
            constants = {"BM": 64, "BN": 64, "BK": depth, "TRANSPOSED": transposed}
            name = f"product_{kind}_{'t' if transposed else 'n'}"
            write(folder, index, product, name, arch, signature, constants, 4, 3)
    signature = {"a": "*bf16", "b": "*bf16", "c": "*fp32", "M": "i32", "N": "i32", "K": "i32"}
    constants = {"BM": 128, "BN": 128, "BK": 32, "TRANSPOSED": 1}
    write(folder, index, product, "product_bf16_w", arch, signature, constants, 8, 4)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for arch in [80, 89, 90]:
        rows = {"x": "*fp32", "out": "*fp32", "n": "i32"}
        write(folder, index, add, "add", arch, {"x": "*fp32", "y": "*fp32", "out": "*fp32", "n": "i32"}, {"BLOCK": 512}, 4, 2)
        write(folder, index, softmax, "softmax", arch, rows, {"BLOCK": 1024}, 8, 2)
        write(folder, index, scan, "scan", arch, rows, {"BLOCK": 1024}, 4, 2)
        write(folder, index, histogram, "histogram", arch, {"x": "*i32", "out": "*i32", "n": "i32"}, {"BLOCK": 256}, 4, 2)
        products(folder, index, arch)
        heads = {"q": "*bf16", "k": "*bf16", "v": "*bf16", "out": "*fp32", "n": "i32"}
        write(folder, index, attention, "attention", arch, heads, {"BM": 64, "BN": 64, "D": 64}, 4, 2)
    for name, tile, stages in [("described_a", (128, 128, 64), 3), ("described_b", (64, 256, 64), 4), ("described_c", (128, 64, 32), 3)]:
        bm, bn, bk = tile
        boxes = {"a": f"tensordesc<bf16[{bm},{bk}]>", "b": f"tensordesc<bf16[{bn},{bk}]>", "c": f"tensordesc<bf16[{bm},{bn}]>"}
        sizes = {"M": "i32", "N": "i32", "K": "i32"}
        write(folder, index, described, name, 90, boxes | sizes, {"BM": bm, "BN": bn, "BK": bk}, 4 if bm * bn < 16384 else 8, stages)
    (folder / "index").write_text("\n".join(index) + "\n")


main(pathlib.Path(sys.argv[1]))
