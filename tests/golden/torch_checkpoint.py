# SPDX-License-Identifier: MIT
"""Writes checkpoints with PyTorch 1.13 and what is in them: torch_checkpoint.py FOLDER

FOLDER/torch_*.pt are the files, FOLDER/torch_checkpoint.txt has a line for each tensor: file, dotted
path, shape, elements.
"""
import sys
from collections import OrderedDict

import torch

folder = sys.argv[1]
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
optimiser = torch.optim.Adam(model.parameters())
model(torch.randn(4, 3)).square().sum().backward()
optimiser.step()
t = torch.arange(12.).reshape(3, 4)
files = {
    'state': model.state_dict(),
    'training': {'epoch': 3, 'loss': 0.5, 'model': model.state_dict(), 'optimiser': optimiser.state_dict(), 'best': torch.tensor(2.385, dtype=torch.float64), 'size': torch.Size([3, 4]), 'name': 'é', 'none': None},
    'kinds': {'f16': t.half(), 'bf16': t.bfloat16(), 'f64': t.double(), 'bool': t > 3, 'u8': t.byte(), 'i8': -t.char(), 'i16': -t.short(), 'i32': -t.int(), 'i64': -t.long()},
    'views': {'transposed': t.t(), 'part': t[1:, ::2], 'expanded': t[:1].expand(3, 4), 'parameter': torch.nn.Parameter(t), 'empty': torch.zeros(0, 3), 'scalar': t[2, 3], 'list': [t, (t[0], OrderedDict(x=t[1]))]},
    'complex': {'c': torch.zeros(2, dtype=torch.complex64), 'a': t},
    'one': t,
}
out = open(f'{folder}/torch_checkpoint.txt', 'w')


def tell(file, path, v):
    if isinstance(v, torch.Tensor):
        if not v.is_complex():
            print(file, path or '-', ','.join(map(str, v.shape)) or '-', *v.detach().double().reshape(-1).tolist(), file=out)
    elif isinstance(v, dict):
        for k in v:
            tell(file, f'{path}.{k}' if path else k, v[k])
    elif isinstance(v, (list, tuple)):
        for i, x in enumerate(v):
            tell(file, f'{path}.{i + 1}', x)

for name, value in files.items():
    torch.save(value, f'{folder}/torch_{name}.pt')
    tell(name, '', value)
torch.save(model.state_dict(), f'{folder}/torch_legacy.pt', _use_new_zipfile_serialization=False)
torch.save(model, f'{folder}/torch_module.pt')
