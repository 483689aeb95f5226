"""The scripts: small, of this output alone (``root``), and they put data into the page as text, never as HTML."""

from __future__ import annotations

_SORT = """
root.querySelectorAll("table.sort").forEach(function(t){
var heads=Array.from(t.tHead.rows[0].cells);
heads.forEach(function(th,i){var b=th.querySelector("button");if(!b)return;
b.title="sort by "+b.textContent;
b.addEventListener("click",function(){
var up=th.getAttribute("aria-sort")!=="ascending";
heads.forEach(function(h){h.removeAttribute("aria-sort")});
th.setAttribute("aria-sort",up?"ascending":"descending");
var key=function(r){var c=r.cells[i];return c.hasAttribute("data-v")?c.getAttribute("data-v"):c.textContent.trim()};
var rows=Array.from(t.tBodies[0].rows);
rows.sort(function(x,y){var p=key(x),q=key(y);
var n=p!==""&&q!==""?Number(p)-Number(q):NaN;
if(isNaN(n))n=p.localeCompare(q,undefined,{numeric:true});return up?n:-n});
rows.forEach(function(r){t.tBodies[0].appendChild(r)})})})});
"""

_DRAW = """
root.querySelectorAll("[data-svg]").forEach(function(e){
var doc=new DOMParser().parseFromString(e.getAttribute("data-svg"),"image/svg+xml");
if(doc.documentElement.localName==="svg")e.appendChild(document.importNode(doc.documentElement,true))});
"""

_LADDER = """
root.querySelectorAll("svg.ladder").forEach(function(svg){
var list=svg.parentNode.parentNode.querySelector(".parts");if(!list)return;
var arrows=Array.from(svg.querySelectorAll(".m"));
var parts=Array.from(list.children);list.classList.add("picked");
parts.forEach(function(d){d.open=false});
function pick(at){var was=parts[at].open;
parts.forEach(function(d,i){d.open=i===at&&!was});
arrows.forEach(function(a,i){a.setAttribute("aria-expanded",i===at&&!was?"true":"false")})}
parts.forEach(function(d,i){d.addEventListener("toggle",function(){
arrows[i].setAttribute("aria-expanded",d.open?"true":"false")})});
arrows.forEach(function(a,i){
a.setAttribute("role","button");a.setAttribute("tabindex",i?"-1":"0");a.setAttribute("aria-expanded","false");
function go(j){if(j<0||j>=arrows.length)return;arrows[i].setAttribute("tabindex","-1");
arrows[j].setAttribute("tabindex","0");arrows[j].focus()}
a.addEventListener("click",function(){pick(i)});
a.addEventListener("keydown",function(e){
if(e.key==="Enter"||e.key===" ")pick(i);
else if(e.key==="ArrowDown")go(i+1);
else if(e.key==="ArrowUp")go(i-1);
else if(e.key==="Home")go(0);
else if(e.key==="End")go(arrows.length-1);
else return;
e.preventDefault();e.stopPropagation()})})});
"""

_SCRUB = """
root.querySelectorAll(".scrub").forEach(function(box){
var d=JSON.parse(box.getAttribute("data-steps")),n=d.steps.length,at=-1;
var make=function(name,attributes,text){var e=document.createElement(name);
Object.keys(attributes).forEach(function(k){e.setAttribute(k,attributes[k])});if(text)e.textContent=text;return e};
var bar=make("div",{"class":"bar",role:"toolbar","aria-label":"steps"});
var slider=make("input",{type:"range",min:0,max:n-1,"aria-label":"step"}),what=make("code",{"class":"what"});
var said=make("span",{"class":"said sr","aria-live":"polite"});
[["first","|\u25c0","first step","Home"],["callback","\u25c0 call","KSR call before","Page Up"],
["back","\u25c0 back","one step back","Left"],null,["next","next \u25b6","one step on","Right"],
["call","call \u25b6","next KSR call","Page Down"],["last","\u25b6|","last step","End"]].forEach(function(b){
if(!b){bar.appendChild(slider);return}
bar.appendChild(make("button",{type:"button","data-go":b[0],title:b[2]+" ("+b[3]+")","aria-label":b[2]},b[1]))});
bar.appendChild(what);bar.appendChild(said);box.insertBefore(bar,box.firstChild.nextSibling);
var q=function(s){return box.querySelector(s)},all=function(s){return Array.from(box.querySelectorAll(s))};
var src=q(".src"),ending=q(".ending"),text=q(".text");
var lines={};all("[data-l]").forEach(function(e){lines[e.getAttribute("data-l")]=e});
var calls=all("ol.calls>li"),sent=all("[data-s]"),here=null;
var pvs=all("tr[data-pv]"),shown=-1,locals=q("table.locals tbody"),none=q(".none");
function show(to){
to=Math.max(0,Math.min(n-1,to));if(to===at)return;
var s=d.steps[to],before=to>0?d.steps[to-1]:null;at=to;slider.value=to;
if(here){here.classList.remove("here");here.removeAttribute("aria-current")}
here=s.l?lines[s.l]:null;
if(here){here.classList.add("here");here.setAttribute("aria-current","step");
var top=here.offsetTop-src.clientHeight/2;
if(here.offsetTop<src.scrollTop||here.offsetTop+here.offsetHeight>src.scrollTop+src.clientHeight)src.scrollTop=top}
what.textContent=s.w;ending.hidden=to<n-1;
calls.forEach(function(li,i){li.hidden=i>=s.c;li.classList.toggle("last",i===s.c-1&&(!before||before.c<s.c))});
if(none)none.hidden=s.c>0;
if(s.c>0){var li=calls[s.c-1],pane=li.parentNode.parentNode;pane.scrollTop=li.offsetTop-pane.clientHeight/2}
if(!before||shown!==s.t){shown=s.t;var rows=d.texts[s.t],pre=make("pre",{"class":"diff",tabindex:0,role:"group",
"aria-label":"difference of the message"},rows.length?"":"nothing changed");
rows.forEach(function(r){pre.appendChild(make(r[0],/^(---|[+]{3}|@@)/.test(r[1])?{"class":"hunk"}:{},r[1]+"\\n"))});
text.replaceChildren(pre)}
sent.forEach(function(e){e.hidden=Number(e.getAttribute("data-s"))>=s.s});
pvs.forEach(function(tr,i){var p=d.pvs[i],v=p.v[p.i[to]];
tr.cells[1].textContent=v===null?"<null>":String(v);
tr.classList.toggle("chg",to>0&&p.i[to]!==p.i[to-1])});
while(locals.firstChild)locals.removeChild(locals.firstChild);
if(!Object.keys(d.locals[s.o]||{}).length){
locals.appendChild(document.createElement("tr")).appendChild(document.createElement("td")).textContent="none"}
Object.keys(d.locals[s.o]||{}).forEach(function(name){
var tr=document.createElement("tr"),a=document.createElement("td"),b=document.createElement("td");
a.textContent=name;b.textContent=d.locals[s.o][name];b.className="v";
if(s.h.indexOf(name)>=0)tr.className="chg";
tr.appendChild(a);tr.appendChild(b);locals.appendChild(tr)});
said.textContent="step "+to+" of "+(n-1)+", "+s.w;slider.setAttribute("aria-valuetext",said.textContent);
all(".bar button").forEach(function(b){var back=b.getAttribute("data-go");
b.disabled=(back==="first"||back==="back"||back==="callback")?to===0:to===n-1})}
function call(way){for(var i=at+way;i>0&&i<n;i+=way)if(d.steps[i].c>d.steps[i-1].c)return i;return way<0?0:n-1}
var go={first:function(){return 0},back:function(){return at-1},callback:function(){return call(-1)},
call:function(){return call(1)},next:function(){return at+1},last:function(){return n-1}};
all(".bar button").forEach(function(b){b.addEventListener("click",function(){show(go[b.getAttribute("data-go")]())})});
slider.addEventListener("input",function(){show(Number(slider.value))});
calls.forEach(function(li,i){var b=li.querySelector("button");if(b)b.addEventListener("click",function(){
for(var j=0;j<n;j++)if(d.steps[j].c>i){show(j);return}})});
all("[data-l]").forEach(function(e){e.addEventListener("click",function(){
for(var j=1;j<=n;j++){var k=(at+j)%n;if(d.steps[k].l===e.getAttribute("data-l")){show(k);return}}})});
box.addEventListener("keydown",function(e){
if(e.ctrlKey||e.altKey||e.metaKey)return;
var k={ArrowRight:"next",ArrowLeft:"back",PageDown:"call",PageUp:"callback",Home:"first",End:"last"}[e.key];
if(!k||(e.target.closest(".scroll")&&(e.key==="PageDown"||e.key==="PageUp")))return;
e.preventDefault();e.stopPropagation();show(go[k]())});
show(0)});
"""


#: What is added where the mark is in the HTML.
SCRIPTS = (
    ('class="sort"', _SORT),
    ("data-draw=", _DRAW),
    ('data-draw="ladder', _LADDER),
    ('class="scrub', _SCRUB),
)
