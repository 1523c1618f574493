# SPDX-License-Identifier: MIT
"""The peers of bench_nets.lua in PyTorch."""
import math
import os
import bench

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    raise SystemExit(0)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
bench.loaded()
bce = F.binary_cross_entropy_with_logits


def train(name, net, loss):
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=True)

    def step():
        opt.zero_grad(set_to_none=True)
        loss(net).backward()
        opt.step()
    bench.case(name, "step()", {"step": step})


class Sum(nn.Module):
    """Parts and a function of them."""

    def __init__(self, f=None, **parts):
        super().__init__()
        self.f = f
        for k, v in parts.items():
            setattr(self, k, v)

    def forward(self, *x):
        return self.f(self, *x)


if bench.wants("MLP"):
    X, y = torch.rand(64, 784), torch.randint(0, 10, (64,))
    train("MLP 784-512-512-10, batch 64", nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                                                        nn.Linear(512, 10)), lambda m, X=X, y=y: F.cross_entropy(m(X), y))


def elbo(m, X, beta=1.0):
    h = m.encoder(X)
    mu, lv = m.mu(h), m.lv(h)
    x = m.decoder(mu + torch.randn_like(mu) * torch.exp(0.5 * lv))
    return bce(x, X, reduction="sum") - beta * 0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp())


if bench.wants("VAE 784"):
    X2 = torch.rand(128, 784)
    train("VAE 784-400-20, batch 128", Sum(encoder=nn.Sequential(nn.Linear(784, 400), nn.ReLU()), mu=nn.Linear(400, 20),
          lv=nn.Linear(400, 20), decoder=nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))),
          lambda m: elbo(m, X2))

T, D, H, V = 64, 128, 4, 65
hidden = torch.tril(torch.ones(T, T)).view(1, 1, T, T) == 0


def run_block(m, x):
    b, t, c = x.shape
    q, k, v = m.qkv(m.l1(x)).view(b, t, 3, H, c // H).permute(2, 0, 3, 1, 4)
    w = F.softmax(((q @ k.transpose(-2, -1)) / math.sqrt(c // H)).masked_fill(hidden, float("-inf")), -1)
    x = x + m.proj((w @ v).transpose(1, 2).reshape(b, t, c))
    return x + m.down(F.gelu(m.up(m.l2(x))))


def block():
    return Sum(run_block, l1=nn.LayerNorm(D), l2=nn.LayerNorm(D), qkv=nn.Linear(D, 3 * D), proj=nn.Linear(D, D),
               up=nn.Linear(D, 4 * D), down=nn.Linear(4 * D, D))


if bench.wants("GPT"):
    gpt = Sum(lambda m, i: m.head(m.ln(m.blocks(m.te(i) + m.pe(torch.arange(T))))), te=nn.Embedding(V, D),
              pe=nn.Embedding(T, D), blocks=nn.Sequential(*[block() for _ in range(4)]), ln=nn.LayerNorm(D),
              head=nn.Linear(D, V, bias=False))
    ids = torch.randint(0, V, (16, T + 1))
    train("GPT, 4 layers of 128, T 64, batch 16", gpt,
          lambda m: F.cross_entropy(m(ids[:, :-1]).reshape(-1, V), ids[:, 1:].reshape(-1)))

if bench.wants("DCGAN"):
    G = nn.Sequential(nn.Linear(64, 6272), nn.BatchNorm1d(6272), nn.ReLU(True), nn.Unflatten(1, (128, 7, 7)),
                      nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU(True),
                      nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh())
    Dn = nn.Sequential(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128),
                       nn.LeakyReLU(0.2, True), nn.Flatten(), nn.Linear(6272, 1))
    og = torch.optim.Adam(G.parameters(), lr=2e-4, foreach=True)
    od = torch.optim.Adam(Dn.parameters(), lr=2e-4, foreach=True)
    X3, one, zero = torch.rand(64, 1, 28, 28), torch.ones(64, 1), torch.zeros(64, 1)


    def gan():
        # as the peer does: each step has its own pass of G, and the second no gradient of D
        z = torch.randn(64, 64)
        with torch.no_grad():
            fake = G(z)
        od.zero_grad(set_to_none=True)
        (bce(Dn(X3), one) + bce(Dn(fake), zero)).backward()
        od.step()
        Dn.requires_grad_(False)
        og.zero_grad(set_to_none=True)
        bce(Dn(G(z)), one).backward()
        og.step()
        Dn.requires_grad_(True)


    bench.case("DCGAN 28x28, batch 64, both steps", "gan()", {"gan": gan})

c = lambda i, o, k, p: [nn.Conv2d(i, o, k, 2, p), nn.ReLU(), nn.BatchNorm2d(o)]
t = lambda i, o: nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=1)
if bench.wants("face VAE"):
    Xf = torch.rand(32, 1, 24, 24)
    train("face VAE 24x24, batch 32", Sum(
        encoder=nn.Sequential(*c(1, 32, 5, 2), *c(32, 64, 3, 1), *c(64, 128, 3, 1), nn.Flatten()), mu=nn.Linear(1152, 32),
        lv=nn.Linear(1152, 32), decoder=nn.Sequential(nn.Linear(32, 1152), nn.Unflatten(1, (128, 3, 3)), t(128, 64),
                                                      nn.ReLU(), t(64, 32), nn.ReLU(), t(32, 1))),
          lambda m: elbo(m, Xf, 0.95))


def features(t, d):
    a = t.float()[:, None] * torch.exp(-math.log(1e4) * torch.arange(d // 2) / (d // 2))
    return torch.cat([a.sin(), a.cos()], 1)


left = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)


def diffuse(name, net, batch, size):
    X = torch.rand(batch, 1, size, size) * 2 - 1

    def loss(m):
        at = torch.randint(0, 1000, (batch,))
        noise, a = torch.randn_like(X), left[at][:, None, None, None]
        return F.mse_loss(m(a.sqrt() * X + (1 - a).sqrt() * noise, at), noise)
    train(name, net, loss)


def run_unit(m, x, e):
    h = m.c1(F.silu(m.n1(x))) + m.t(F.silu(e))[:, :, None, None]
    return m.s(x) + m.c2(F.silu(m.n2(h)))


def unit(i, o):
    return Sum(run_unit, n1=nn.GroupNorm(8, i), c1=nn.Conv2d(i, o, 3, padding=1), t=nn.Linear(64, o),
               n2=nn.GroupNorm(8, o), c2=nn.Conv2d(o, o, 3, padding=1), s=nn.Conv2d(i, o, 1) if i != o else nn.Identity())


def run_unet(m, x, t):
    e = m.e(features(t, 64))
    a = m.d1(m.inp(x), e)
    b = m.d2(F.avg_pool2d(a, 2), e)
    u = m.d3(F.avg_pool2d(b, 2), e)
    u = m.u2(torch.cat([F.interpolate(u, scale_factor=2), b], 1), e)
    u = m.u1(torch.cat([F.interpolate(u, scale_factor=2), a], 1), e)
    return m.out(F.silu(m.no(u)))


if bench.wants("U-Net 28x28"):
    w = 32
    net = Sum(run_unet, inp=nn.Conv2d(1, w, 3, padding=1), d1=unit(w, w), d2=unit(w, 2 * w), d3=unit(2 * w, 4 * w),
              u2=unit(6 * w, 2 * w), u1=unit(3 * w, w), no=nn.GroupNorm(8, w), out=nn.Conv2d(w, 1, 3, padding=1),
              e=nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64)))
    diffuse("U-Net 28x28, batch 64", net, 64, 28)


def forward(name, net, *x):
    def run():
        with torch.no_grad():
            net(*x)
    bench.case(name, "sample()", {"sample": run})


if bench.wants("U-Net 28x28"):
    forward("U-Net 28x28, one forward of 16", net, torch.randn(16, 1, 28, 28), torch.full((16,), 500))


def double(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(True), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(True))


def run_course(m, x, t):
    e = features(t, 64)[:, :, None, None]
    with_time = lambda v: torch.cat([v, e.expand(-1, -1, *v.shape[2:])], 1)
    a = m.a(with_time(x))
    b = m.b(F.max_pool2d(a, 2))
    c = m.c(F.max_pool2d(b, 2))
    d = with_time(m.d(F.max_pool2d(c, 2)))
    u = m.u3(torch.cat([m.up(d), c], 1))
    u = m.u2(torch.cat([m.up(u), b], 1))
    return m.o(m.u1(torch.cat([m.up(u), a], 1)))


if bench.wants("U-Net 48x48"):
    course = Sum(run_course, a=double(65, 64), b=double(64, 128), c=double(128, 256), d=double(256, 512), u3=double(832, 256),
                 u2=double(384, 128), u1=double(192, 64), o=nn.Conv2d(64, 1, 1),
                 up=nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))
    diffuse("U-Net 48x48 of the course, batch 4", course, 4, 48)
    forward("U-Net 48x48 of the course, one forward", course, torch.randn(1, 1, 48, 48), torch.full((1,), 500))
