-- SPDX-License-Identifier: MIT
-- pg._page: the frame of every HTML page we make: style, light and dark, phone, print, filter box. Nothing is fetched
-- from anywhere, and the page's own policy forbids it.
local pg = ...
local html = pg._html

local STYLE = [[
:root{color-scheme:light dark;--bg:#fff;--fg:#1d1f24;--dim:#626873;--line:#dde0e6;--soft:#f4f5f8;--link:#0b57b0;
--good:#1a7f37;--bad:#c4232b;--warn:#8a5a00;
--c1:#1f6fb4;--c2:#d1600b;--c3:#2a8a34;--c4:#8a4fbf;--c5:#b0255d;--c6:#0d8a8a}
@media(prefers-color-scheme:dark){:root{--bg:#15171b;--fg:#e4e6ea;--dim:#9aa1ad;--line:#343840;--soft:#1e2126;
--link:#7db4ff;--good:#56c271;--bad:#ff7b7f;--warn:#e0b050;
--c1:#69aef0;--c2:#f2a05c;--c3:#74cc7d;--c4:#c39af0;--c5:#f07fab;--c6:#5fd0d0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:1rem 1.2rem 4rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:.6rem 0}h2{font-size:1.3rem;margin:2.2rem 0 .4rem;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.4rem 0 .4rem}h4,h5,h6{margin:1rem 0 .3rem}
a{color:var(--link)}code,pre{font:.86em/1.45 ui-monospace,monospace}code{background:var(--soft);padding:.1em .25em}
pre{background:var(--soft);padding:.7em .9em;overflow:auto;max-height:30rem;white-space:pre-wrap;word-break:break-word}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.4rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;border-bottom:2px solid var(--line);white-space:nowrap}.n{text-align:right;white-space:nowrap}
figure{margin:1rem 0}figure img{max-width:100%;height:auto;background:#fff;border:1px solid var(--line)}
figcaption,.dim,.note{color:var(--dim);font-size:.92em}
.pixel{image-rendering:pixelated;min-width:14rem}
.beside{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1.6fr);gap:1.2rem;align-items:start}
.beside>*{min-width:0}.beside h4{margin:.2rem 0;color:var(--dim);font-weight:600;font-size:.85em}
.charts{display:flex;flex-wrap:wrap;gap:1rem}.small{flex:0 1 26rem;min-width:0;margin:.3rem 0}
svg.chart{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--dim)}svg .right{text-anchor:end}
svg .mid{text-anchor:middle}svg .grid{stroke:var(--line);fill:none}svg .axis{stroke:var(--dim);fill:none}
svg g path{fill:none;stroke:currentColor;stroke-width:1.8}svg g circle{fill:currentColor;stroke:none}
.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}
.legend{margin:0;font-size:.85em}.legend span{margin-right:.8em}.legend span::before{content:"\2014\00a0"}
.state{font-weight:600;white-space:nowrap}.passed{color:var(--good)}.skipped,.interrupted{color:var(--warn)}
.failed,.timed_out,.killed,.out_of_memory{color:var(--bad)}
input[type=search]{font:inherit;width:100%;max-width:24rem;padding:.4rem .6rem;color:inherit;background:var(--soft);
border:1px solid var(--line);border-radius:4px}
details>summary{cursor:pointer;color:var(--dim)}details.job>summary{color:var(--fg);padding:.2rem 0}
[hidden]{display:none!important}
@media(max-width:44rem){body{padding:.6rem .7rem 3rem;font-size:15px}.beside{grid-template-columns:1fr;gap:.2rem}
th,td{padding:.25rem .4rem}.small{flex-basis:100%}.wide td:last-child:not(.n){min-width:9rem}
.jobs thead{display:none}.jobs,.jobs tbody{display:block}.jobs td{border:0}
.jobs tr{display:grid;grid-template-columns:1fr auto auto auto;border-bottom:1px solid var(--line)}
.jobs td:last-child{grid-column:1/-1;color:var(--dim);padding-top:0}}
@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#f6f6f6;--link:#000;--good:#000;
--bad:#000;--warn:#000;--c1:#1f6fb4;--c2:#d1600b;--c3:#2a8a34;--c4:#8a4fbf;--c5:#b0255d;--c6:#0d8a8a}
body{max-width:none;padding:0;font-size:10.5pt}.screen,details:not([open]){display:none!important}
h2{break-after:avoid}h3,h4{break-after:avoid}figure,tr,.beside,svg{break-inside:avoid}figure img{max-height:10.5cm}
pre{max-height:none}section.job{break-before:auto}a{text-decoration:none}}
]]

local SCRIPT = [[
(function(){
var box=document.getElementById("filter");if(!box)return;
var all=document.querySelectorAll("[data-text]"),none=document.getElementById("none");
function show(){var words=box.value.toLowerCase().split(/\s+/).filter(Boolean),seen=0;
all.forEach(function(e){var t=e.getAttribute("data-text");
e.hidden=!words.every(function(w){return t.indexOf(w)>=0});if(!e.hidden)seen++;});
if(none)none.hidden=seen>0;}
box.addEventListener("input",show);
function openTarget(){var e=document.getElementById(decodeURIComponent(location.hash.slice(1)));
if(e&&e.tagName==="DETAILS")e.open=true;}
window.addEventListener("hashchange",openTarget);openTarget();
})();
]]

local POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

-- A whole page around `body`, which is HTML already.
return function(title, body)
  return table.concat{
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n',
    '<meta http-equiv="Content-Security-Policy" content="', POLICY, '">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n<title>',
    html.escape(title), "</title>\n<style>\n", STYLE, "</style></head>\n<body>\n", body, "\n<script>", SCRIPT,
    "</script>\n</body></html>\n",
  }
end
