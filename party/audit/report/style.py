"""What the style sheet of an audit's page has besides that of all pages."""

STYLE = """
@page { size: A4 landscape; }
.figures .number { text-align: left; }
ol.notes { color: var(--muted); font-size: .9em; margin-top: .6rem; }
sup { color: var(--muted); }
.gauge { position: relative; display: block; width: 7.5rem; height: .42rem; margin-top: .3rem; background: var(--track);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.gauge i { position: absolute; left: 0; top: 0; bottom: 0; background: var(--series-1); }
.gauge u { position: absolute; top: -.15rem; bottom: -.15rem; width: 2px; background: var(--red-text); }
.open { background: var(--red-fill); color: var(--red-text); font-weight: 700; }
.readable { background: var(--orange-fill); color: var(--orange-text); font-weight: 700; }
.in-part { background: var(--yellow-fill); color: var(--yellow-text); }
.within { background: var(--green-fill); color: var(--green-text); }
.above { background: var(--purple-fill); color: var(--purple-text); font-weight: 700; }
.nothing-found { background: var(--panel); }
.not-measured, .too-few-rows { border-style: dashed; color: var(--muted); }
.signed { break-inside: avoid; }
.lines { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 2rem; margin-top: 3.2rem; }
.signature { border-top: 1px solid var(--ink); padding-top: .25rem; color: var(--muted); font-size: .9em; }
""".strip()
