"""Hand-made pipelines that use what ``dvc.yaml`` can express."""

from __future__ import annotations

META = "meta: {image: data, cpu: 1, memory: 1Gi, gpu: 0, retry: data}"

PARAMS = """\
profile: small
methods: [one, two]
rates: [1e-3, 0.1]
sets: {sea: {path: data/sea}, land: {path: data/land}}
boxes: [{name: a}, {name: b}]
flag: true
flags: [true, false]
width: 3
options: {fast: true, slow: false, level: 2, names: [x, y z]}
where: {source: raw}
profiles: {small: {width: 1}, large: {width: 2}}
"""

FOREACH = f"""\
stages:
  get:
    cmd: echo get
    outs: ["data/${{where.source}}"]
    {META}
  train:
    foreach: ${{methods}}
    do:
      cmd: echo ${{item}} ${{width}}
      deps: ["data/${{where.source}}/part"]
      params: [width, "profiles.${{profile}}.width"]
      outs: ["models/${{item}}"]
      metrics: ["reports/${{item}}.json": {{cache: false}}]
      plots: ["reports/${{item}}.csv": {{x: step, y: loss}}]
      {META}
  cover:
    foreach: ${{sets}}
    do:
      cmd: echo ${{key}}
      deps: [data/raw]
      outs: ["${{item.path}}/cover"]
      {META}
  box:
    foreach: ${{boxes}}
    do:
      cmd: echo ${{item.name}}
      outs: ["boxes/${{item.name}}"]
      {META}
  say:
    foreach: ${{flags}}
    do:
      cmd: echo ${{item}}
      {META}
  shout:
    foreach: [true, no]
    do:
      cmd: echo ${{item}}
      {META}
  judge:
    cmd: [echo one, "echo ${{flag}}"]
    deps: [models, reports/one.json, data/sea, boxes, script.py]
    outs: [verdict.txt]
    {META}
"""

MATRIX = f"""\
vars: [extra.yaml, extra.yaml, {{suffix: .bin}}]
stages:
  make:
    cmd: echo > made
    outs: [made]
    {META}
  cell:
    matrix:
      method: ${{methods}}
      rate: ${{rates}}
      shape: [[1, 2], flat, "${{flag}}"]
    cmd: echo ${{item.method}} ${{item.rate}} ${{key}}
    deps: [made]
    outs: ["cells/${{key}}${{suffix}}"]
    {META}
  sum:
    cmd: tool ${{options}} --depth ${{depth}}
    deps: [cells/one-0.001-flat.bin, cells/two-0.1-shape0.bin]
    outs: [sum.csv]
    {META}
"""

NESTED = f"""\
plots: [{{curves: {{x: step, y: {{sub/deep/out.csv: loss}}}}}}]
stages:
  outer:
    cmd: echo outer
    wdir: sub
    deps: [../tools/run.py]
    params: [{{local.yaml: [a, b.c]}}, {{../params.yaml: }}]
    vars: [local.yaml:b]
    outs: ["deep/out.csv", "${{b.c}}": {{persist: true}}]
    {META}
  settings:
    cmd: echo settings
    outs: [made.yaml]
    {META}
  inner:
    cmd: echo inner
    deps: [sub/deep/, ./made.yaml/../sub/leaf]
    params: [made.yaml: [x]]
    outs: [inner, {{"escaped-\\\\${{b}}": {{desc: not an expression}}}}]
    always_changed: true
    {META}
  apart:
    cmd: echo apart
    frozen: true
    {META}
"""

FILES = {
    "extra.yaml": "depth: 4\n",
    "sub/local.yaml": "a: 1\nb: {c: leaf}\nwidth: 9\n",
    "made.yaml": "",
    "params.yaml": PARAMS,
}
