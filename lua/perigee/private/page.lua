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
figure{margin:1rem 0}figure img{max-width:100%;height:auto;background:#fff;border:1px solid var(--line);cursor:zoom-in}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:1rem;align-items:start}
.figures figure{margin:.4rem 0;min-width:0}
.big{position:fixed;inset:0;z-index:9;display:flex;flex-direction:column;align-items:center;justify-content:center;
gap:.6rem;padding:1rem;background:var(--bg);cursor:zoom-out}
.big img{max-width:100%;max-height:calc(100% - 4rem);width:auto;height:auto;object-fit:contain}
.big img.pixel{min-width:min(60vw,70vh);min-height:0}.big p{margin:0;text-align:center}
@media(prefers-color-scheme:dark){figure img,.big img{filter:brightness(.94)}
figure img.ink,.big img.ink{filter:invert(.915) hue-rotate(180deg);border-color:#c8cdd6}}
.contents ul{margin:.6rem 0;padding:0;list-style:none;columns:18rem auto;column-gap:2rem}
.contents li{break-inside:avoid}
figcaption,.dim,.note{color:var(--dim);font-size:.92em}
.pixel{image-rendering:pixelated;min-width:14rem}
.beside{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1.6fr);gap:1.2rem;align-items:start}
.beside>*{min-width:0}.beside h4{margin:.2rem 0;color:var(--dim);font-weight:600;font-size:.85em}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:1rem}
.small{min-width:0;margin:.3rem 0;max-width:30rem}
.tall{max-height:36rem;overflow:auto}.tall thead th{position:sticky;top:0;background:var(--bg)}
svg.chart{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--dim)}svg .right{text-anchor:end}
svg .mid{text-anchor:middle}svg .grid{stroke:var(--line);fill:none}svg .axis{stroke:var(--dim);fill:none}
svg g path{fill:none;stroke:currentColor;stroke-width:1.8}svg g circle{fill:currentColor;stroke:none}
.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}
.thin{color:var(--c1);opacity:.45}svg g.thin path{stroke-width:1}
svg g.d1 path{stroke-dasharray:6 3}svg g.d2 path{stroke-dasharray:2 3}svg g.d3 path{stroke-dasharray:8 3 2 3}
.legend{margin:0;font-size:.85em}.legend span{margin-right:.8em}.legend span::before{content:"\2014\00a0"}
.state{font-weight:600;white-space:nowrap}.passed{color:var(--good)}.skipped,.interrupted{color:var(--warn)}
.failed,.timed_out,.killed,.out_of_memory{color:var(--bad)}
.sorts th{cursor:pointer}.sorts th[data-fixed]{cursor:auto}.sorts th::after{content:"";display:inline-block;width:.9em}
.sorts th[aria-sort=ascending]::after{content:"\25B4"}.sorts th[aria-sort=descending]::after{content:"\25BE"}
.sorts th[data-fixed]::after{display:none}tr:hover>td{background:var(--soft)}
button{font:inherit;font-size:.92em;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:4px;
padding:.15rem .6rem;cursor:pointer}
input[type=search]{font:inherit;width:100%;max-width:24rem;padding:.4rem .6rem;color:inherit;background:var(--soft);
border:1px solid var(--line);border-radius:4px}
details>summary{cursor:pointer;color:var(--dim)}details.job>summary,details.all>summary{color:var(--fg);padding:.2rem 0}
details.all{margin-top:1rem}details.job{margin-left:.8rem}:target{scroll-margin-top:1rem}
[hidden]{display:none!important}
@media(max-width:44rem){body{padding:.6rem .7rem 3rem;font-size:15px}.beside{grid-template-columns:1fr;gap:.2rem}
th,td{padding:.25rem .4rem}.wide td:last-child:not(.n){min-width:9rem}
.jobs thead{display:none}.jobs,.jobs tbody{display:block}.jobs td{border:0}
.jobs tr{display:grid;grid-template-columns:1fr auto auto auto;border-bottom:1px solid var(--line)}
.jobs td:last-child{grid-column:1/-1;color:var(--dim);padding-top:0}}
@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#f6f6f6;--link:#000;--good:#000;
--bad:#000;--warn:#000;--c1:#1f6fb4;--c2:#d1600b;--c3:#2a8a34;--c4:#8a4fbf;--c5:#b0255d;--c6:#0d8a8a}
body{max-width:none;padding:0;font-size:10.5pt}.screen,.big{display:none!important}
figure img,figure img.ink{filter:none;max-height:10.5cm;width:auto}
h2{break-after:avoid}h3,h4,summary{break-after:avoid}figure,tr,.beside,svg{break-inside:avoid}
.figures{grid-template-columns:1fr 1fr}.charts{grid-template-columns:1fr 1fr}.tall{max-height:none}
.tall thead th{position:static}
.wide{overflow:visible}table{font-size:8.5pt;max-width:100%}th,td{padding:.12rem .35rem;overflow-wrap:anywhere}
th{white-space:normal}td.n{white-space:normal}thead{display:table-header-group}
details.job{margin-left:0}pre{max-height:none;font-size:7.5pt}a{text-decoration:none}}
]]

local SCRIPT = [[
(function(){
function each(what,f,from){Array.prototype.forEach.call((from||document).querySelectorAll(what),f);}
var box=document.getElementById("filter"),none=document.getElementById("none");
if(box)box.addEventListener("input",function(){
var words=box.value.toLowerCase().split(/\s+/).filter(Boolean),seen=0;
each("[data-text]",function(e){var t=e.getAttribute("data-text");
e.hidden=!words.every(function(w){return t.indexOf(w)>=0});if(!e.hidden)seen++;});
if(none)none.hidden=seen>0;});
function openTarget(){var e=document.getElementById(decodeURIComponent(location.hash.slice(1)));
for(var up=e;up;up=up.parentElement)if(up.tagName==="DETAILS")up.open=true;
if(e&&e.tagName==="SECTION")each("details",function(d){if(d.parentElement===e)d.open=true;},e);
if(e)e.scrollIntoView();}
window.addEventListener("hashchange",openTarget);if(location.hash)openTarget();
function key(row,k){var c=row.cells[k],v=c.getAttribute("data-v"),t=c.textContent;
if(v===null){var x=parseFloat(t);v=c.className==="n"?(isNaN(x)?null:x):t;}else v=+v;return v;}
each("table.sorts",function(table){each("th",function(th,k){if(th.hasAttribute("data-fixed"))return;
th.tabIndex=0;function sort(){var up=th.getAttribute("aria-sort")!=="ascending",body=table.tBodies[0];
each("th",function(o){o.removeAttribute("aria-sort");},table);
th.setAttribute("aria-sort",up?"ascending":"descending");
var rows=Array.prototype.slice.call(body.rows).map(function(r,i){return [key(r,k),i,r];});
rows.sort(function(a,b){var x=a[0],y=b[0];if(x===null||y===null)return (x===null)-(y===null)||a[1]-b[1];
return (x<y?-1:x>y?1:0)*(up?1:-1)||a[1]-b[1];});
rows.forEach(function(r){body.appendChild(r[2]);});}
th.addEventListener("click",sort);
th.addEventListener("keydown",function(e){if(e.key==="Enter")sort();});},table);});
var W=420,H=240,L=62,R=12,T=12,B=40;
function text(v){var s=Math.abs(v)<1e-300?"0":(+v.toPrecision(5)).toString();return s.replace("e+","e");}
function ticks(lo,hi,n){var raw=(hi-lo)/n,unit=Math.pow(10,Math.floor(Math.log10(raw))),step=unit*10,out=[];
[1,2,5].some(function(m){if(m*unit>=raw){step=m*unit;return true;}});
for(var k=Math.ceil(lo/step-1e-9);k<=Math.floor(hi/step+1e-9);k++)out.push(k*step);return out;}
function escape(t){return t.replace(/[&<>"]/g,function(c){return "&#"+c.charCodeAt(0)+";";});}
function draw(name,rows){
var x0=Infinity,x1=-Infinity,y0=Infinity,y1=-Infinity;
rows.forEach(function(r){r.x.forEach(function(x,i){var y=r.y[i];if(x===null||y===null)return;
x0=Math.min(x0,x);x1=Math.max(x1,x);y0=Math.min(y0,y);y1=Math.max(y1,y);});});
if(x0>x1)return "";if(x0===x1){x0-=1;x1+=1;}if(y0===y1){var d=y0===0?1:Math.abs(y0)*.1;y0-=d;y1+=d;}
var pad=(y1-y0)*.05;y0-=pad;y1+=pad;
function px(x){return (L+(x-x0)/(x1-x0)*(W-L-R)).toFixed(1);}
function py(y){return (H-B-(y-y0)/(y1-y0)*(H-T-B)).toFixed(1);}
var s='<figure class="small"><figcaption>'+escape(name)+'</figcaption><svg class="chart" viewBox="0 0 '+W+' '+H+'">';
ticks(y0,y1,5).forEach(function(y){s+='<path class="grid" d="M'+L+' '+py(y)+'H'+(W-R)+'"/><text x="'+(L-6)+'" y="'+
(+py(y)+4)+'" class="right">'+text(y)+'</text>';});
ticks(x0,x1,6).forEach(function(x){s+='<text x="'+px(x)+'" y="'+(H-B+16)+'" class="mid">'+text(x)+'</text>';});
s+='<path class="axis" d="M'+L+' '+T+'V'+(H-B)+'H'+(W-R)+'"/><text x="'+((L+W-R)/2)+'" y="'+(H-6)+
'" class="mid">step</text>';
rows.forEach(function(r,k){var p="",on=false;
r.x.forEach(function(x,i){if(x===null||r.y[i]===null){on=false;return;}p+=(on?"L":"M")+px(x)+" "+py(r.y[i]);on=true;});
s+='<g class="'+(rows.length>24?"thin":"c"+(k%6+1)+(k>=6?" d"+Math.floor(k/6):""))+'"><title>'+escape(r.label)+
'</title><path d="'+p+'"/></g>';});
s+='</svg>';
if(rows.length>24)s+='<p class="legend">'+rows.length+' runs</p>';
else s+='<p class="legend">'+rows.map(function(r,k){return '<span class="c'+(k%6+1)+'">'+escape(r.label)+'</span>';
}).join(" ")+'</p>';
return s+'</figure>';}
each("table.runs",function(table){var n=table.getAttribute("data-runs"),at=document.getElementById("curves-"+n);
if(!at)return;var data=JSON.parse(document.getElementById("data-"+n).textContent);
function redraw(){var chosen=[];each("input:checked",function(b){chosen.push(b.getAttribute("data-run"));},table);
at.innerHTML=Object.keys(data.curves).map(function(name){var of=data.curves[name];
return draw(name,chosen.filter(function(r){return of[r];}).map(function(r){
return {x:of[r][0],y:of[r][1],label:data.labels[r]};}));}).join("");}
table.addEventListener("change",redraw);
each("[data-choose]",function(b){b.addEventListener("click",function(){var most=+b.getAttribute("data-choose");
each("input",function(c,i){c.checked=i<most;},table);redraw();});},at.parentElement);});
var big,shown;
function close(){if(big){big.remove();big=null;}}
function enlarge(img){close();shown=img;big=document.createElement("div");big.className="big";
var copy=img.cloneNode(),p=document.createElement("p"),f=img.closest("figure"),c=f&&f.querySelector("figcaption");
if(c)p.append.apply(p,c.cloneNode(true).childNodes);else p.textContent=img.alt;big.append(copy,p);
big.addEventListener("click",close);document.body.append(big);}
document.addEventListener("click",function(e){var t=e.target;if(t.tagName==="IMG"&&t.closest("figure"))enlarge(t);});
document.addEventListener("keydown",function(e){if(!big)return;if(e.key==="Escape")close();
var step=e.key==="ArrowRight"?1:e.key==="ArrowLeft"?-1:0;if(!step)return;
var all=Array.prototype.filter.call(document.querySelectorAll("figure img"),function(i){return i.offsetParent;});
enlarge(all[(all.indexOf(shown)+step+all.length)%all.length]);});
window.addEventListener("beforeprint",function(){close();each(".wide>table",function(t){
t.style.zoom=Math.min(1,690/t.scrollWidth);});});
window.addEventListener("afterprint",function(){each(".wide>table",function(t){t.style.zoom="";});});
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
