"""The style sheet of all pages."""

from party.page.palette import SERIES, variables

DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "4 2")  # series differ without their colours too

_SERIES = "\n".join(
    f".line-{place} {{ stroke: var(--{name}); stroke-dasharray: {dash}; }}"
    f" .mark-{place} {{ fill: var(--{name}); stroke: none; }}"
    for place, (name, dash) in enumerate(zip(SERIES, DASHES, strict=True))
)

STYLE = f"""
:root {{ color-scheme: light dark; {variables(dark=False)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables(dark=True)} }} }}
@media print {{ :root {{ color-scheme: light; {variables(dark=False)} }} }}
@page {{ size: A4; margin: 14mm; }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink);
  background: var(--ground); margin: 0; }}
main {{ overflow-wrap: break-word; max-width: 1180px; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: .5rem 0 .5rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-bottom: .25rem; border-bottom: 2px solid var(--ink);
  break-after: avoid; }}
h3 {{ font-size: 1.02rem; margin: 1.5rem 0 .4rem; break-after: avoid; }}
p, ul {{ max-width: 62rem; overflow-wrap: anywhere; }}
a {{ color: var(--link); }}
a:focus-visible, [tabindex]:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px; }}
.lead {{ font-size: 1.06rem; max-width: 60rem; }}
.muted {{ color: var(--muted); }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 1rem 0 0; padding: 0; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }}
.tiles div {{ background: var(--panel); border: 1px solid var(--rule); border-radius: .4rem; padding: .6rem .8rem; }}
.tiles dt {{ color: var(--muted); font-weight: 400; font-size: .88rem; overflow-wrap: anywhere; }}
.tiles dd {{ font-size: 1.25rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; }}
caption {{ text-align: left; color: var(--muted); font-size: .92em; padding: .2rem 0 .4rem; }}
th {{ text-align: left; font-weight: 600; }}
.facts {{ margin-bottom: 1rem; }}
.facts th {{ width: 15rem; color: var(--muted); }}
.facts th, .facts td {{ padding: .2rem .8rem .2rem 0; vertical-align: top; overflow-wrap: anywhere; font-weight: 400; }}
.figures {{ font-variant-numeric: tabular-nums; font-size: .94rem; }}
.figures thead th {{ padding: .35rem .55rem; border-bottom: 1px solid var(--ink); font-size: .92em;
  vertical-align: bottom; }}
.figures tbody th, .figures td {{ padding: .35rem .55rem; border-bottom: 1px solid var(--rule); vertical-align: top;
  overflow-wrap: break-word; }}
.figures tbody th {{ font-weight: 600; }}
.figures tr {{ break-inside: avoid; }}
.figures .number {{ text-align: right; }}
.figures td.number {{ white-space: nowrap; }}
.scroll {{ overflow-x: auto; margin: .6rem 0 1rem; }}
.plot {{ margin: 1rem 0 1.6rem; display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: .4rem 2rem;
  align-items: start; break-inside: avoid; }}
.plot .figures tbody th {{ overflow-wrap: anywhere; }}
.plot figcaption {{ grid-column: 1 / -1; font-weight: 600; }}
.plot .scroll {{ max-height: 22rem; overflow-y: auto; margin: 0; }}
svg {{ width: 100%; height: auto; max-width: 42rem; display: block; }}
svg text {{ font-size: 13px; fill: var(--muted); }}
svg .value {{ fill: var(--ink); }}
.axis {{ stroke: var(--muted); stroke-width: 1; fill: none; }}
.grid {{ stroke: var(--rule); stroke-width: 1; }}
.line {{ fill: none; stroke-width: 2.2; stroke-linejoin: round; }}
.key {{ display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .3rem 0 0; padding: 0; list-style: none;
  font-size: .9rem; }}
.key svg {{ display: inline-block; width: 36px; height: 12px; vertical-align: middle; margin-right: .35rem; }}
{_SERIES}
.bar {{ fill: var(--series-1); }}
.track {{ fill: var(--track); }}
.chip {{ display: inline-block; padding: .05rem .5rem; border: 1px solid currentColor; border-radius: .7rem;
  font-size: .88em; white-space: nowrap; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
.on {{ background: var(--green-fill); color: var(--green-text); font-weight: 600; }}
.off, .none {{ background: var(--panel); color: var(--ink); border-style: dashed; }}
.unknown {{ background: var(--yellow-fill); color: var(--yellow-text); }}
.warning {{ border-left: 4px solid var(--orange-text); background: var(--orange-fill); color: var(--orange-text);
  padding: .5rem .9rem; }}
code {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .93em; }}
figcaption small {{ font-weight: 400; }}
small {{ display: block; color: var(--muted); font-size: .86em; line-height: 1.35; white-space: normal; }}
dl {{ margin: 0; }}
.terms {{ display: grid; grid-template-columns: 9.5rem 1fr; gap: .25rem .8rem; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; }}
li {{ margin: .2rem 0; overflow-wrap: anywhere; }}
@media screen and (max-width: 56rem) {{ .plot {{ grid-template-columns: minmax(0, 1fr); }} }}
@media screen and (max-width: 34rem) {{
  .facts th, .facts td {{ display: block; width: auto; padding: 0; }}
  .facts td {{ padding-bottom: .5rem; }}
  .scroll table {{ width: max-content; min-width: 100%; }} .figures thead th, .figures td {{ max-width: 12rem; }}
  .figures tbody th {{ max-width: 14rem; }} .figures td:last-child {{ max-width: 20rem; }}
  .terms {{ grid-template-columns: 1fr; }} .terms dd {{ margin-bottom: .5rem; }}
  svg text {{ font-size: 15px; }} }}
@media print {{
  body {{ font-size: 11px; }} main {{ max-width: none; padding: 0; }} nav {{ display: none; }}
  .scroll, .plot .scroll {{ overflow: visible; max-height: none; }} .figures {{ font-size: 10px; }} }}
""".strip()
