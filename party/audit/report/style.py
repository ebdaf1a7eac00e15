"""The style sheet of an audit's page."""

STYLE = """
@page { size: A4 landscape; margin: 14mm; }
* { box-sizing: border-box; }
body { font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1f24; background: #fff;
  max-width: 1180px; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 2px solid #1b1f24;
  break-after: avoid; }
.lead { color: #444c56; max-width: 60rem; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; }
.facts { margin-bottom: 1rem; }
.facts th { width: 15rem; color: #444c56; }
.facts th, .facts td { padding: .15rem .6rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; font-weight: 400; }
.figures { font-variant-numeric: tabular-nums; }
.figures th { padding: .35rem .55rem; border-bottom: 1px solid #1b1f24; font-size: .9em; vertical-align: bottom; }
.figures td { padding: .35rem .55rem; border-bottom: 1px solid #d5dae0; vertical-align: top;
  overflow-wrap: break-word; }
.figures tr { break-inside: avoid; }
.number { white-space: nowrap; }
ol.notes { color: #444c56; font-size: .9em; margin-top: .6rem; }
sup { color: #444c56; }
small { display: block; color: #5b646e; font-size: .84em; line-height: 1.3; white-space: normal; }
.bar { position: relative; display: block; width: 7.5rem; height: .42rem; margin-top: .3rem; background: #e7eaee;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.bar i { position: absolute; left: 0; top: 0; bottom: 0; background: #3c6fb4; }
.bar u { position: absolute; top: -.15rem; bottom: -.15rem; width: 2px; background: #b3261e; }
.chip { display: inline-block; padding: .05rem .5rem; border: 1px solid #8a939d; border-radius: .7rem;
  font-size: .88em; white-space: nowrap; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.open { background: #fbdcd9; border-color: #b3261e; color: #7a1610; font-weight: 700; }
.readable { background: #fde7d3; border-color: #b6560c; color: #7a3a06; font-weight: 700; }
.in-part { background: #fdf4cf; border-color: #95780a; color: #5e4b04; }
.within { background: #dcf2e1; border-color: #2b7a3d; color: #1d5429; }
.above { background: #eedcf7; border-color: #7b2ea8; color: #551f75; font-weight: 700; }
.nothing-found { background: #f1f3f5; }
.not-measured, .too-few-rows { border-style: dashed; color: #5b646e; }
dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .15rem .6rem; margin: 0; }
dt { font-weight: 600; }
dd { margin: 0; }
li { margin: .15rem 0; overflow-wrap: anywhere; }
.signed { break-inside: avoid; }
.lines { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2rem; margin-top: 3.2rem; }
.line { border-top: 1px solid #1b1f24; padding-top: .25rem; color: #444c56; font-size: .9em; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 11px; } section { break-inside: auto; } }
@media (max-width: 60rem) { .figures { display: block; overflow-x: auto; } }
""".strip()
