# SPDX-License-Identifier: MIT
"""Tables in random dialects, and what pandas 1.5 reads in them: pandas_csv.py COUNT > pandas_csv.txt

Each row of the result is {text, options, names, values}: values are text, since nan has none of its own.
"""
import io
import random
import sys

import pandas as pd

random.seed(20)


def quote(s):
    return '"' + ''.join(c if ' ' <= c <= '~' and c not in '"\\' else ''.join(f'\\{b:03d}' for b in c.encode()) for c in s) + '"'


def number(r, decimal, thousands):
    kind = r.randrange(6)
    if kind == 0:
        s = str(r.randrange(-10, 1000))
    elif kind == 1:
        s = repr(round(r.gauss(0, 1e3), r.randrange(6)))
    elif kind == 2:
        s = f'{r.gauss(0, 1):.{r.randrange(1, 17)}e}'
    elif kind == 3:
        s = f'{r.uniform(0, 1):.{r.randrange(1, 17)}f}'
    elif kind == 4:
        s = str(r.randrange(10 ** 6, 10 ** 9))
        if thousands:
            s = f'{int(s):,}'.replace(',', thousands)
            return s
    else:
        s = r.choice(['0', '-0.0', '1E5', '+7', '.5', '5.', '007'])
    return s.replace('.', decimal)


def case(r):
    separator = r.choice([',', ',', ';', '\t', '|', ' '])
    decimal = ',' if separator != ',' and r.random() < 0.3 else '.'
    thousands = r.choice([None, None, {'.': ',', ',': '.'}[decimal]])
    if thousands == separator:
        thousands = None
    missing = separator != ' ' and r.random() < 0.4
    words = ['-999', '?'] if missing and r.random() < 0.3 else None
    comment = r.choice([None, None, '#', '%'])
    header = r.random() < 0.6
    skip = r.choice([0, 0, 0, 2])
    end = r.choice(['\n', '\n', '\r\n'])
    columns, rows = r.randrange(2, 6), r.randrange(1, 6)
    names = [r.choice(['x', 'height', 'a b', 'z"q', 'Größe', 'p_1', 'y.2']) + str(j) for j in range(columns)]
    lines = [r.choice(['a title', 'made, by; someone | 3', '']) for _ in range(skip)]
    pad = (lambda: r.choice(['', '', ' ']) if separator not in ' \t' else '')

    def field(s, always=False):
        if always or separator in s or '"' in s or (separator == ' ' and ' ' in s) or r.random() < 0.1:
            return '"' + s.replace('"', '""') + '"'
        return pad() + s + pad()
    blank = (lambda: lines.append('') if r.random() < 0.15 else None)
    if header:
        blank()
        lines.append(separator.join(field(n, ' ' in n) for n in names))
    for _ in range(rows):
        if comment and r.random() < 0.3:
            lines.append(comment + ' a remark' + r.choice(['', separator + ' and more']))
        blank()
        cells = []
        for _ in range(columns):
            if missing and r.random() < 0.25:
                cells.append(r.choice(words + [''] if words else ['', 'NA', 'nan', 'NULL', 'N/A', '#N/A' if comment != '#' else 'n/a']))
            else:
                cells.append(field(number(r, decimal, thousands)))
        lines.append((separator if separator != ' ' else r.choice([' ', '  '])).join(cells) + (f' {comment}x' if comment and r.random() < 0.2 and separator != '\t' else ''))
    text = ('\ufeff' if r.random() < 0.1 else '') + end.join(lines) + r.choice([end, '', end + end])
    take = r.sample(range(columns), r.randrange(1, columns + 1)) if r.random() < 0.3 else None
    frame = pd.read_csv(io.BytesIO(text.encode()), sep=r'\s+' if separator == ' ' else separator, decimal=decimal, thousands=thousands, comment=comment, header=0 if header else None, skiprows=skip, skipinitialspace=True, keep_default_na=words is None, na_values=words, float_precision='round_trip', encoding='utf-8-sig', index_col=False)
    if words:
        frame = frame.replace('', float('nan'))
    frame.columns = [str(c).strip() for c in frame.columns]
    assert frame.shape[1] == columns
    try:
        frame = frame.apply(lambda c: c.astype(str).str.strip().replace({'': 'nan'}).astype(float) if c.dtype == object else c.astype(float))
    except ValueError:
        return None
    if take is not None:
        frame = frame.iloc[:, take]
    options = []
    if r.random() < 0.5:
        options.append(f'separator = {quote(separator)}')
    if decimal != '.':
        options.append('decimal = ","')
    if thousands:
        options.append(f'thousands = {quote(thousands)}')
    if comment:
        options.append(f'comment = {quote(comment)}')
    if skip:
        options.append(f'skip = {skip}')
    if missing:
        options.append('missing = ' + ('{' + ', '.join(map(quote, words)) + '}' if words else 'true'))
    if r.random() < 0.5 or not header:
        options.append(f'header = {str(header).lower()}')
    if take is not None:
        options.append('columns = {' + ', '.join(quote(names[j]) if header and r.random() < 0.5 or False else str(j + 1) for j in take) + '}')
        if any('"' in o for o in options[-1:]) and any(c.isdigit() and ',' in options[-1] for c in options[-1]):
            options[-1] = 'columns = {' + ', '.join(str(j + 1) for j in take) + '}'
    values = ' '.join(repr(v) for v in frame.to_numpy().reshape(-1).tolist())
    told = '{' + ', '.join(quote(names[j]) for j in (take if take is not None else range(columns))) + '}' if header else 'false'
    return f'  {{{quote(text)}, {{{", ".join(options)}}}, {told},\n    "{frame.shape[0]} {frame.shape[1]} {values}"}},'

print('return {')
count = 0
while count < int(sys.argv[1]):
    line = case(random)
    if line is not None:
        print(line)
        count += 1
print('}')
