"""What PyTorch does with the same sizes: a line `WORK WHO TOKENS_PER_SECOND` for each, 0 where it cannot.

TINY=1 takes small sizes and the CPU, to try the script itself.
"""

import os
import sys
import time

import torch
import torch.nn.functional as F

TINY = os.environ.get("TINY") == "1"
DEVICE = "cpu" if TINY else "cuda"
BF16 = torch.bfloat16


def wait():
    if not TINY:
        torch.cuda.synchronize()


def seconds(work, least=0.5):
    """The median of runs, after two that warm up."""
    for _ in range(2):
        work()
    times, begun = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begun < least:
        wait()
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
        if TINY:
            break
    return sorted(times)[len(times) // 2]


def tell(work, who, tokens, make):
    try:
        rate = tokens / seconds(make())
    except Exception as reason:  # A peer that is not installed, or has no room, is missing and nothing else.
        print(f"{work} {who}: {type(reason).__name__}: {reason}", file=sys.stderr)
        rate = 0
    print(work, who, rate, flush=True)
    if not TINY:
        torch.cuda.empty_cache()


def product():
    n = 64 if TINY else 8192
    left, right = (torch.randn(n, n, device=DEVICE, dtype=BF16) for _ in range(2))
    return lambda: left @ right


def attention(backward):
    def make():
        rows, length = (1, 64) if TINY else (4, 4096)
        parts = [torch.randn(rows, 16, length, 128, device=DEVICE, dtype=BF16, requires_grad=backward) for _ in range(3)]
        upstream = torch.randn_like(parts[0])

        def work():
            out = F.scaled_dot_product_attention(*parts, is_causal=True)
            if backward:
                torch.autograd.grad(out, parts, upstream)

        return work

    return make


def gated_delta():
    from fla.ops.gated_delta_rule import chunk_gated_delta_rule

    q, k, v = (torch.randn(4, 4096, 16, 128, device=DEVICE, dtype=BF16) for _ in range(3))
    g, beta = -torch.rand(4, 4096, 16, device=DEVICE), torch.rand(4, 4096, 16, device=DEVICE, dtype=BF16)
    return lambda: chunk_gated_delta_rule(q, F.normalize(k, dim=-1), v, g, beta)


def mamba2():
    from fla.ops.simple_gla import chunk_simple_gla

    q, k = (torch.randn(4, 4096, 32, 128, device=DEVICE, dtype=BF16) for _ in range(2))
    v = torch.randn(4, 4096, 32, 64, device=DEVICE, dtype=BF16)
    g = -torch.rand(4, 4096, 32, device=DEVICE)
    return lambda: chunk_simple_gla(q, k, v, g)


class Block(torch.nn.Module):
    def __init__(self, d, heads, kv_heads, hidden):
        super().__init__()
        self.heads, self.kv_heads, self.width = heads, kv_heads, d // heads
        self.norm1, self.norm2 = torch.nn.RMSNorm(d), torch.nn.RMSNorm(d)
        self.q = torch.nn.Linear(d, d, bias=False)
        self.kv = torch.nn.Linear(d, 2 * kv_heads * self.width, bias=False)
        self.o = torch.nn.Linear(d, d, bias=False)
        self.up = torch.nn.Linear(d, 2 * hidden, bias=False)
        self.down = torch.nn.Linear(hidden, d, bias=False)

    def forward(self, x, turn):
        rows, length, d = x.shape
        y = self.norm1(x)
        split = lambda z: z.view(rows, length, -1, self.width).transpose(1, 2)
        key, value = self.kv(y).chunk(2, dim=-1)
        q, key, value = rotated(split(self.q(y)), turn), rotated(split(key), turn), split(value)
        y = F.scaled_dot_product_attention(q, key, value, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(rows, length, d))
        gate, up = self.up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def rotated(x, turn):
    cosine, sine = turn
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1).to(x.dtype)


class Llama(torch.nn.Module):
    def __init__(self, layers, d, heads, kv_heads, hidden, v, tied):
        super().__init__()
        self.table = torch.nn.Embedding(v, d)
        self.layers = torch.nn.ModuleList(Block(d, heads, kv_heads, hidden) for _ in range(layers))
        self.norm = torch.nn.RMSNorm(d)
        self.head = torch.nn.Linear(d, v, bias=False)
        if tied:
            self.head.weight = self.table.weight
        self.width = d // heads

    def forward(self, ids):
        place = torch.arange(ids.shape[1], device=ids.device)[:, None]
        rate = 10000.0 ** (-torch.arange(self.width // 2, device=ids.device) / (self.width // 2))
        turn = (place * rate).cos(), (place * rate).sin()
        x = self.table(ids)
        for layer in self.layers:
            x = layer(x, turn)
        return F.cross_entropy(self.head(self.norm(x))[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def training(sizes, rows, length, compiled):
    def make():
        model = Llama(**sizes).to(DEVICE)
        optimizer = torch.optim.AdamW(model.parameters(), fused=not TINY)
        ids = torch.randint(sizes["v"], (rows, length), device=DEVICE)
        loss_of = torch.compile(model) if compiled else model

        def work():
            with torch.autocast(DEVICE, BF16):
                loss = loss_of(ids)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return work

    return make


def main():
    torch.set_float32_matmul_precision("high")
    small = dict(layers=12, d=768, heads=12, kv_heads=4, hidden=2048, v=32000, tied=False)
    billion = dict(layers=16, d=2048, heads=32, kv_heads=8, hidden=8192, v=128256, tied=True)
    sizes = [("train.125m", small, 8, 1024), ("train.1b", billion, 4, 2048)]
    if TINY:
        tiny = dict(layers=2, d=64, heads=4, kv_heads=2, hidden=96, v=101, tied=True)
        sizes = [("train.125m", tiny | dict(tied=False), 2, 16), ("train.1b", tiny, 2, 16)]
    tell("product", "cuBLAS", 8192, product)
    tell("attention.forward", "SDPA", 4 * 4096, attention(False))
    tell("attention.train", "SDPA", 4 * 4096, attention(True))
    tell("gated_delta.forward", "fla", 4 * 4096, gated_delta)
    tell("mamba2.forward", "fla", 4 * 4096, mamba2)
    for name, model, rows, length in sizes:
        tell(name, "eager", rows * length, training(model, rows, length, False))
        if not TINY:
            tell(name, "compiled", rows * length, training(model, rows, length, True))


main()
