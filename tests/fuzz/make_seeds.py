# SPDX-License-Identifier: MIT
"""Makes tests/fuzz/seeds with NumPy: make_seeds.py FOLDER.

The JPEGs there are libjpeg's (quality 95, sample i of row y is 20 y + 5 i); found_* are what
fuzzing found.
"""
import gzip
import io
import json
import os
import pickle
import random
import struct
import sys
import zipfile
import zlib

import numpy as np

root = sys.argv[1]


def put(r, name, b):
    os.makedirs(f'{root}/{r}', exist_ok=True)
    open(f'{root}/{r}/{name}', 'wb').write(b)
    assert len(b) < 4096, (name, len(b))

a = np.arange(6).reshape(2, 3) * 1.5


def npy(x, version=None):
    f = io.BytesIO()
    np.lib.format.write_array(f, x, version=version)
    return f.getvalue()

put('npy', 'f8', npy(a))
put('npy', 'f8_fortran', npy(np.asfortranarray(a)))
put('npy', 'v2_f4', npy(a.astype('>f4'), (2, 0)))
put('npy', 'v3_u8', npy(np.array([1, 2 ** 53, 7], dtype='<u8'), (3, 0)))
put('npy', 'bool_0d', npy(np.array(True)))
put('npy', 'f2', npy(np.array([1, np.inf, 6e-08], dtype='f2')))
put('npy', 'gz', gzip.compress(npy(a.astype('i2')), mtime=0))
h = b'{"shape":(2L,),"fortran_order":False,"descr":"<i4",  }'.ljust(63) + b'\n'
put('npy', 'python2', b'\x93NUMPY\x01\x00' + struct.pack('<H', len(h)) + h + b'\x01\x00\x00\x00\x02\x00\x00\x00')


def npz(**k):
    f = io.BytesIO()
    (np.savez_compressed if k.pop('_c', 0) else np.savez)(f, **k)
    return f.getvalue()

put('npz', 'stored', npz(a=a, b=np.arange(3)))
put('npz', 'deflated', npz(_c=1, w=np.zeros((20, 20)), x=np.array(2.5)))
f = io.BytesIO()
zipfile.ZipFile(f, 'w').close()
put('npz', 'empty', f.getvalue())
obj = {'w': a, 'n': 7, 't': (1, 2.5, 'x', b'y'), 'l': [None, True, -3, 2 ** 40, 'é整'], 's': np.float32(1.5), 'i': np.int64(-3), 'e': np.zeros((0, 4)), 'f': np.asfortranarray(a.astype('>i4')), 'z': np.array(2.5)}
for p in range(6):
    put('pickle', f'p{p}', pickle.dumps(obj, p))
put('pickle', 'array_p2', pickle.dumps(np.arange(40.0), 2))
put('pickle', 'array_p4', pickle.dumps(np.arange(40.0), 4))
put('pickle', 'array_p0', pickle.dumps(np.arange(10.0), 0))
put('pickle', 'array_p5', pickle.dumps(np.arange(40.0), 5))
l = []
l.append(l)
put('pickle', 'recursive', pickle.dumps(l, 4))
x = [1]
put('pickle', 'shared', pickle.dumps([x, x, (x, x)], 2))
put('pickle', 'python2', b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tb.')
put('pickle', 'old_text', b"(dp0\nS'a\\x41\\n'\np1\n(lp2\nI1\naL2L\naF2.5\naI01\naVx\\u00e9\np3\nas.")
put('pickle', 'gz', gzip.compress(pickle.dumps(obj, 4), mtime=0))
put('pickle', 'bytearray', pickle.dumps(bytearray(b'abc'), 5))
put('pickle', 'bytearray2', pickle.dumps([bytearray(b'abc\xff'), b''], 2))
put('gzip', 'one', gzip.compress(b'hello ' * 20, mtime=0))
put('gzip', 'two', gzip.compress(b'1,2\n', mtime=0) + gzip.compress(b'3,4\n', mtime=0))
put('gzip', 'padded', gzip.compress(b'5,6\n', mtime=0) + b'\x00' * 7)
put('gzip', 'named', b'\x1f\x8b\x08\x1c\x00\x00\x00\x00\x00\xff' + b'\x04\x00ab\x01\x00' + b'name\x00' + b'comment\x00' + gzip.compress(b'8,9\n', mtime=0)[10:])
put('gzip', 'stored', gzip.compress(bytes(range(256)), 0, mtime=0))
put('gzip', 'long', gzip.compress(b'\x00' * 300000, mtime=0))
put('idx', 'u1', bytes([0, 0, 8, 2]) + struct.pack('>II', 2, 3) + bytes(range(6)))
put('idx', 'i2', bytes([0, 0, 11, 1]) + struct.pack('>I', 2) + struct.pack('>hh', -2, 300))
put('idx', 'f8', bytes([0, 0, 14, 1]) + struct.pack('>Id', 1, 2.5))
put('idx', 'f4', bytes([0, 0, 13, 1]) + struct.pack('>If', 1, 2.5))
put('idx', 'i4_gz', gzip.compress(bytes([0, 0, 12, 1]) + struct.pack('>Ii', 1, -5), mtime=0))
put('idx', 'i1', bytes([0, 0, 9, 3]) + struct.pack('>III', 1, 1, 1) + b'\xff')
put('csv', 'header', b'x,y,"z ""q"""\n1,2.5,-3e-2\n4,nan,inf\n')
put('csv', 'tabs', b'1\t2\r\n3\t4\r\n')
put('csv', 'blanks', b'# a b\n1.0000000000000000001 2e300\n  3   4\n\n#end\n')
put('csv', 'semicolon', b'\xef\xbb\xbfa;b\r1;2\r3;4')
put('csv', 'one', b'7')
put('csv', 'gz', gzip.compress(b'1,2\n3,4\n', mtime=0))


def png(w, h, depth, ctype, raw, extra=b'', inter=0):

    def ch(t, d):
        return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))
    return b'\x89PNG\r\n\x1a\n' + ch(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, ctype, 0, 0, inter)) + extra + ch(b'IDAT', zlib.compress(raw)) + ch(b'IEND', b'')


def ch(t, d):
    return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))

put('image', 'grey8.png', png(3, 2, 8, 0, b'\x00\x01\x02\x03\x00\x04\x05\x06'))
put('image', 'grey1.png', png(3, 2, 1, 0, b'\x00\xa0\x00@'))
put('image', 'rgb16.png', png(1, 1, 16, 2, b'\x00\xff\xff\x80\x00\x00\x01'))
put('image', 'rgba8.png', png(2, 1, 8, 6, b'\x00\xff\x00\x00\x80\x00\xff\x00\xff'))
put('image', 'palette.png', png(3, 1, 2, 3, b'\x00$', ch(b'PLTE', bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])) + ch(b'tRNS', b'\x80')))
put('image', 'ga.png', png(1, 1, 8, 4, b'\x00\x10\x80'))


def adam(w, h):
    out = b''
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        xs = range(x0, w, dx)
        ys = range(y0, h, dy)
        if len(xs):
            out += b''.join((b'\x00' + bytes(((y * w + x) % 256 for x in xs)) for y in ys))
    return out

put('image', 'interlaced.png', png(5, 5, 8, 0, adam(5, 5), inter=1))
put('image', 'p5.pgm', b'P5\n# c\n3 2\n255\n\x00\x01\x02\x03\x04\xff')
put('image', 'p5_16.pgm', b'P5 2 1 65535\n\xff\xff\x80\x00')
put('image', 'p6.ppm', b'P6\n1 1\n15\n\x0f\x00\x07')
put('image', 'p2.pgm', b'P2 2 2 9 1 2\n#x\n3 9')
put('image', 'p3.ppm', b'P3\n1 1\n255\n255 0 9\n')

# Any bytes are a program of fuzz_lua: these are a dozen statements each.
for i in range(24):
    put('lua', f'{i:02}', random.Random(i).randbytes(120))


def safetensors(header, data, pad=True):
    h = header if isinstance(header, bytes) else json.dumps(header, separators=(',', ':')).encode()
    h += b' ' * (-len(h) % 8 if pad else 0)
    return struct.pack('<Q', len(h)) + h + data

kinds = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'U8': 'u1', 'I8': 'i1', 'I16': '<i2', 'U16': '<u2', 'I32': '<i4', 'U32': '<u4', 'I64': '<i8', 'U64': '<u8', 'BOOL': 'u1'}
header, data = {'__metadata__': {'format': 'pt', 'a "note"': 'é\n'}}, b''
for kind, descr in kinds.items():
    x = np.array([[0, 1, 1]]).astype(descr).tobytes()
    header['x.' + kind] = {'dtype': kind, 'shape': [1, 3], 'data_offsets': [len(data), len(data) + len(x)]}
    data += x
header['x.BF16'] = {'dtype': 'BF16', 'shape': [2], 'data_offsets': [len(data), len(data) + 4]}
data += b'\x20\x40\x80\x7f'
put('safetensors', 'kinds', safetensors(header, data))
put('safetensors', 'names', safetensors(b' {"\\u00e9\\ud83d\\ude00\\n" : {"shape":[ ],"data_offsets":[0,4],\n"dtype":"F32"}}'[1:], b'\0\0\x80?', False))
put('safetensors', 'empty', safetensors({}, b''))
put('safetensors', 'order', safetensors({'a': {'dtype': 'F32', 'shape': [0, 2], 'data_offsets': [8, 8]}, 'b': {'dtype': 'F64', 'shape': [], 'data_offsets': [0, 8]}}, struct.pack('<d', 2.385)))
put('safetensors', 'f8', safetensors({'a': {'dtype': 'F8_E4M3', 'shape': [2], 'data_offsets': [0, 2]}, 'b': {'dtype': 'U8', 'shape': [1], 'data_offsets': [2, 3]}}, b'\1\2\3'))
