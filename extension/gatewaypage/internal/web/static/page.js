// The gateway page. It lays out what /api/v1/state says and computes nothing. Names come from senders, so every text goes
// through textContent, and no markup is ever made of text.

const at = (id) => document.getElementById(id);

// element makes an element with a class and children, which are elements or texts.
function element(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

// write sets the text of an element, if it differs, so that selections and screen readers are left alone.
function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// list keeps one child for each item of a list, in its order. A child is made once for each key, and updated.
function list(parent, items, keyOf, make) {
  parent.children_ ??= new Map();
  const known = parent.children_;
  const seen = new Set();
  items.forEach((item, i) => {
    let key = keyOf(item, i);
    while (seen.has(key)) key += ' again'; // names are cut, so two of them may be the same
    seen.add(key);
    if (!known.has(key)) known.set(key, make(item));
    const child = known.get(key);
    child.update(item);
    if (parent.children[i] !== child.element) parent.insertBefore(child.element, parent.children[i] ?? null);
  });
  for (const [key, child] of known) {
    if (!seen.has(key)) {
      child.element.remove();
      known.delete(key);
    }
  }
}

// ---- numbers for people ----

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const tenths = new Intl.NumberFormat('en', {maximumFractionDigits: 1});
const count = (n) => whole.format(n);
const plural = (n, noun) => count(n) + ' ' + noun + (n === 1 ? '' : 's');

function rate(perSecond) {
  return (Math.abs(perSecond) < 10 ? tenths : whole).format(perSecond) + '/s';
}

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) { n /= 1024; i++; }
  return (n < 100 && i > 0 ? tenths : whole).format(n) + ' ' + units[i];
}

function lasting(seconds) {
  if (seconds === null) return '–';
  if (seconds >= 100 * 365 * 86400) return '100 years';
  if (seconds < 120) return Math.floor(seconds) + ' s';
  if (seconds < 7200) return Math.floor(seconds / 60) + ' min';
  if (seconds < 48 * 3600) return Math.floor(seconds / 3600) + ' h';
  return Math.floor(seconds / 86400) + ' days';
}

function clock(text) {
  const d = new Date(text);
  const time = d.toLocaleTimeString('en-GB');
  return d.toDateString() === new Date().toDateString() ? time : d.toLocaleDateString('en-CA') + ' ' + time;
}

// ---- asking ----

const tokenKey = 'gatewaypage-token';

class Unauthorized extends Error {}

async function ask(path) {
  const token = sessionStorage.getItem(tokenKey);
  const response = await fetch(path, {
    headers: token ? {Authorization: 'Bearer ' + token} : {}, cache: 'no-store', signal: AbortSignal.timeout(5000),
  });
  if (response.status === 401) throw new Unauthorized();
  if (!response.ok) throw new Error(response.status + ' ' + response.statusText);
  return response;
}

function askForToken(tried) {
  at('main').hidden = true;
  at('login').hidden = false;
  if (tried) write(at('login-why'), 'The gateway refused this token.');
  at('token').focus();
}

at('login').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(tokenKey, at('token').value.trim());
  at('token').value = '';
  at('login').hidden = true;
  tick();
});

// ---- the verdict and the times ----

const levels = {
  ok: ['✓', 'Nothing lost'], busy: ['!', 'Attention'], bad: ['✕', 'Data is being lost'], refuses: ['✕', 'Data is refused'],
};

function showVerdict(state) {
  const v = state.verdict;
  const [sign, word] = levels[v.level === 'bad' && !v.losing_now ? 'refuses' : v.level];
  at('verdict').dataset.level = v.level;
  write(at('verdict-sign'), sign);
  write(at('verdict-word'), word);
  const line = () => {
    const e = element('li');
    return {element: e, update: (text) => write(e, text)};
  };
  const repeated = (part) => part.toLowerCase() === word.toLowerCase();
  const parts = [...v.parts.filter((part) => !repeated(part)), ...(v.ready ? [] : ['not ready: ' + v.why])];
  list(at('verdict-parts'), parts, (_, i) => i, line);
  list(at('verdict-unknown'), v.unknown, (_, i) => i, line);
  document.title = sign + ' ' + state.instance.name;
}

function showTimes(state) {
  write(at('to-full'), lasting(state.times.to_full_seconds));
  write(at('to-drained'), state.times.to_drained_seconds === 0 ? 'empty' : lasting(state.times.to_drained_seconds));
  write(at('residual'), state.residual === null ? '?' : count(state.residual));
  at('residual').className = state.residual > 0 ? 'alarm' : '';
  const cost = state.saved.cost === null ? '' : ' · cost ' + tenths.format(state.saved.cost);
  write(at('saved'), count(state.saved.series) + cost);
  write(at('saved-formula'), 'Saved: ' + state.saved.formula + '.');
}

function showInstance(state) {
  const i = state.instance;
  write(at('name'), i.name);
  write(at('about'), [i.version, 'up since ' + clock(i.started), i.memory_bytes ? bytes(i.memory_bytes) : ''].filter(Boolean).join(' · '));
  write(at('history-begins'), 'History begins at ' + clock(i.history_begins) +
    (i.reloaded ? ', when the configuration was loaded; earlier strips are gone.' : '.'));
  at('peers').hidden = !i.peers?.length;
  list(at('peers'), i.peers ?? [], (peer) => peer, (peer) => {
    const a = element('a');
    a.href = peer;
    a.rel = 'noreferrer';
    a.textContent = URL.canParse(peer) ? new URL(peer).host : peer;
    return {element: a, update() {}};
  });
}

// ---- the ledger ----

function cell(label) {
  const value = element('span'), more = element('small');
  const e = element('td', '', element('span', '', value, more));
  e.dataset.label = label;
  return {element: e, set(text, small, alarm) { write(value, text); write(more, small ?? ''); e.classList.toggle('alarm', Boolean(alarm)); }};
}

const moving = (t) => t.per_second ? rate(t.per_second) : '';

function routeRow() {
  const name = element('span'), exporter = element('small'), why = element('small');
  const head = element('th', '', name, document.createTextNode(' '), exporter, why);
  head.scope = 'row';
  why.className = 'why';
  const labels = ['In', 'Removed on purpose', 'Sent', 'Waiting', 'Dead letter', 'Returned', 'Lost', 'Residual'];
  const cells = labels.map(cell);
  return {
    element: element('tr', '', head, ...cells.map((c) => c.element)),
    update(r) {
      write(name, r.signal);
      write(exporter, 'to ' + r.exporter);
      write(why, r.unknown ? 'Residual not known: ' + r.unknown + '.' : '');
      const optional = (c, t) => t ? c.set(count(t.items), moving(t)) : c.set('?');
      optional(cells[0], r.in);
      optional(cells[1], r.removed);
      optional(cells[2], r.sent);
      cells[3].set(count(r.waiting.items));
      cells[4].set(count(r.aside.items));
      cells[5].set(count(r.returned.items), moving(r.returned));
      cells[6].set(count(r.lost.items), moving(r.lost), r.lost.items > 0);
      cells[7].set(r.residual === null ? '?' : count(r.residual), '', r.residual > 0);
    },
  };
}

function ledgerRow() {
  const head = element('th');
  head.scope = 'row';
  const cells = ['What', 'Kind', 'Items', 'Rate', 'Last minute'].map(cell);
  return {
    element: element('tr', '', head, ...cells.map((c) => c.element)),
    update(l) {
      write(head, l.component);
      cells[0].set(l.what);
      cells[1].set(l.kind);
      cells[2].set(count(l.items), '', l.kind === 'lost');
      cells[3].set(rate(l.per_second));
      cells[4].set(count(l.last_minute));
    },
  };
}

function showLedger(state) {
  at('routes').hidden = state.routes.length === 0;
  at('routes-none').hidden = state.routes.length > 0;
  list(at('routes').tBodies[0], state.routes, (r) => r.signal + ' ' + r.exporter, routeRow);
  const lines = state.ledger.filter((l) => l.items !== 0);
  list(at('ledger').tBodies[0], lines, (l) => JSON.stringify([l.signal, l.component, l.what]), ledgerRow);
}

// ---- offenders ----

const isolated = (text) => element('bdi', '', text);

function labelLine() {
  const name = element('bdi'), values = element('span'), shapes = element('span');
  return {
    element: element('li', '', 'label ', element('strong', '', name), values, shapes),
    update(l) {
      write(name, l.name);
      write(values, ': about ' + plural(l.values, 'value') + ' ');
      list(shapes, l.examples ?? [], (x) => x, (x) => ({element: element('bdi', 'shape', x), update() {}}));
    },
  };
}

function whatIfLine() {
  const e = element('li');
  return {
    element: e,
    update(w) { write(e, 'without ' + w.label + ': about ' + count(w.series) + ' series' + (w.partial ? ' (a whole window has not passed yet)' : '')); },
  };
}

function offenderCard() {
  const metric = element('bdi'), key = element('bdi'), sentence = element('p'), badge = element('span', 'badge');
  const fill = element('div', 'fill over'), labels = element('ul', 'labels'), whatIf = element('ul', 'labels');
  const box = element('div', 'whatif', 'What would help: ', whatIf), remedy = element('pre'), button = element('button', '', 'Copy this');
  const paste = element('div', '', element('div', 'remedy', element('strong', '', 'To paste into the configuration'), button), remedy);
  button.type = 'button';
  button.addEventListener('click', () => copy(remedy.textContent, 'The entry is copied.'));
  const h = element('h3', '', metric);
  return {
    element: element('li', '', h, element('div', 'quiet', key), sentence, element('div', 'track', fill), labels, box, paste),
    update(o) {
      write(metric, o.metric || 'All metrics' + (o.key ? ' of ' + o.key : ''));
      write(key, [o.metric && o.key, o.component].filter(Boolean).join(' · '));
      write(badge, o.dry_run ? 'dry run: ' + o.action : o.action);
      if (!badge.parentNode) h.append(' ', badge);
      write(sentence, 'About ' + count(o.wanted) + ' ' + o.counts + ' wanted; limit ' + o.limit + ' has ' + count(o.max) +
        ' places, ' + count(o.admitted) + ' in use. Since ' + clock(o.since) + '.');
      fill.style.width = Math.min(100, 100 * o.admitted / Math.max(1, o.wanted)) + '%';
      fill.classList.toggle('dry', o.dry_run);
      list(labels, o.labels ?? [], (l) => l.name, labelLine);
      const ifs = o.what_if ?? [];
      box.hidden = ifs.length === 0;
      list(whatIf, ifs, (w) => w.label, whatIfLine);
      paste.hidden = !ifs[0]?.remedy;
      write(remedy, ifs[0]?.remedy ?? '');
    },
  };
}

function showOffenders(state) {
  at('offenders-none').hidden = state.offenders.length + state.offending_keys.length > 0;
  const name = (o) => JSON.stringify([o.component, o.limit, o.metric, o.key]);
  list(at('keys'), state.offending_keys, name, offenderCard);
  list(at('offenders'), state.offenders, name, offenderCard);
  at('offenders-more').hidden = state.left_off === 0;
  write(at('offenders-more'), 'and ' + count(state.left_off) + ' more that have no room here');
}

// ---- limits, logs, UDP ----

function limitBar() {
  const name = element('strong'), text = element('span'), badge = element('span', 'badge'), fill = element('div', 'fill'), key = element('bdi');
  const track = element('div', 'track', fill);
  return {
    element: element('li', '', name, ' ', badge, track, element('div', 'quiet', text, key)),
    update({limit: l, component}) {
      write(name, l.name);
      write(badge, (l.dry_run ? 'dry run: ' : '') + l.action);
      fill.style.width = Math.min(100, 100 * l.fullest_share) + '%';
      fill.className = 'fill' + (l.dry_run ? ' dry' : '') + (l.fullest_share >= 1 ? ' over' : '');
      write(text, 'Fullest key ' + whole.format(100 * l.fullest_share) + ' % of ' + count(l.max) + ' places; ' + count(l.series) +
        ' ' + l.counts + ' in ' + plural(l.keys, 'key') + '; about ' + count(l.refused) + ' without a place · ' + component);
      write(key, l.fullest ? ' · ' + l.fullest : '');
    },
  };
}

// facts is a definition list that is written anew for each state.
function facts() {
  const title = element('h3'), dl = element('dl'), note = element('p', 'quiet');
  const pair = () => {
    const dt = element('dt'), dd = element('dd');
    return {element: element('div', '', dt, dd), update([what, value, alarm]) { write(dt, what); write(dd, value); dd.className = alarm ? 'alarm' : ''; }};
  };
  return {
    element: element('li', '', title, dl, note),
    set(name, pairs, text) { write(title, name); list(dl, pairs, ([what]) => what, pair); write(note, text ?? ''); note.hidden = !text; },
  };
}

function logFacts() {
  const f = facts();
  const sum = (l, field) => l.signals.reduce((n, s) => n + s[field], 0);
  f.update = ({component, log: l}) => f.set(component + (l.exporter ? ' → ' + l.exporter : ''), [
    ['Breaker', l.breaker.replace('_', ' ') + ' since ' + clock(l.breaker_since)],
    ['Waiting', bytes(sum(l, 'unread_bytes'))],
    ['Oldest record', lasting(Math.max(0, ...l.signals.map((s) => s.oldest_seconds)))],
    ['Used', bytes(l.used_bytes) + ' of ' + bytes(l.capacity_bytes)],
    ['When full', {reject: 'refuses new data', drop_oldest: 'drops the oldest', drop_newest: 'drops the newest'}[l.on_full] ?? l.on_full],
    ['Full in', lasting(l.seconds_to_full)],
    ['Drained in', l.seconds_to_drained === 0 ? 'empty' : lasting(l.seconds_to_drained)],
    ['Dead letter', bytes(sum(l, 'dead_letter_bytes')), sum(l, 'dead_letter_bytes') > 0],
  ], [l.refuses && 'Refuses new data: ' + l.refuses, l.last_error && 'Last error: ' + l.last_error].filter(Boolean).join(' · '));
  return f;
}

function udpFacts() {
  const f = facts();
  f.update = ({component, udp: u}) => {
    const most = Math.max(0, ...u.readers ?? []), all = (u.readers ?? []).reduce((a, b) => a + b, 0);
    f.set(component + ' on ' + u.endpoints.join(', '), [
      ['Datagrams', count(u.datagrams)],
      ['Dropped by the kernel', count(u.kernel_drops), u.kernel_drops > 0],
      ['Lines accepted', count(u.lines)],
      ['Lines refused', count((u.rejected ?? []).reduce((n, r) => n + r.items, 0))],
      ['Series', count(u.series)],
      ['Busiest of ' + (u.readers ?? []).length + ' readers', all ? whole.format(100 * most / all) + ' %' : '–'],
      ['Receive buffer', bytes(u.buffer_bytes)],
    ], (u.rejected ?? []).map((r) => r.reason.replaceAll('_', ' ') + ': ' + count(r.items)).join(' · '));
  };
  return f;
}

function clusterFacts() {
  const f = facts();
  f.update = ({component, limiter: {cluster: c, limits}}) => f.set(component + ': ' + c.state, [
    ['Gateways', count(c.gateways)],
    ...(c.limits ?? []).map((l) => ['Limit ' + l.name + ', all gateways', count(l.series) + ' places; ' +
      count((limits ?? []).find((own) => own.name === l.name)?.series ?? 0) + ' in this gateway']),
    ['New here, admitted', count(c.admitted)],
    ['New here, known to others', count(c.members)],
    ['New here, refused', count(c.refused)],
    ['Admitted while alone', count(c.alone), c.alone > 0],
    ['Lost their place', count(c.lost_places), c.lost_places > 0],
    ['Failed exchanges', count(c.failures), c.failures > 0],
    ['Store lost writes', plural(c.losses, 'time'), c.losses > 0],
  ], c.state === 'joined' ? '' : 'The store of places does not answer. Known series pass; new ones get a share of the free places.');
  return f;
}

function showComponents(state) {
  const limits = state.components.flatMap((c) => (c.limiter?.limits ?? []).map((limit) => ({limit, component: c.component})));
  const logs = state.components.filter((c) => c.log), udp = state.components.filter((c) => c.udp);
  const clusters = state.components.filter((c) => c.limiter?.cluster);
  at('limits-section').hidden = limits.length === 0;
  at('offenders-section').hidden = limits.length === 0;
  at('clusters-section').hidden = clusters.length === 0;
  at('logs-section').hidden = logs.length === 0;
  at('udp-section').hidden = udp.length === 0;
  list(at('limits'), limits, (l) => l.component + ' ' + l.limit.name, limitBar);
  list(at('clusters'), clusters, (c) => c.component, clusterFacts);
  list(at('logs'), logs, (c) => c.component, logFacts);
  list(at('udp'), udp, (c) => c.component, udpFacts);
}

function showChanges(state) {
  list(at('changes'), state.changes, (c) => c.at + c.text, (c) => {
    const time = element('time', '', clock(c.at));
    time.dateTime = c.at;
    return {element: element('li', '', time, isolated(c.text)), update() {}};
  });
}

// ---- the last hour ----

// Lines differ by dashes and names, not by colour alone.
const dashes = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 5], [14, 4]];
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let changes = [];

function sample(i) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
  for (const [k, v] of Object.entries({width: 28, height: 8})) svg.setAttribute(k, v);
  for (const [k, v] of Object.entries({x1: 0, y1: 4, x2: 28, y2: 4, 'stroke-width': 2, stroke: `var(--c${i % 6 + 1})`, 'stroke-dasharray': dashes[i % 6].join(' ')})) line.setAttribute(k, v);
  svg.append(line);
  svg.setAttribute('aria-hidden', 'true');
  return svg;
}

// marks draws what changed as thin lines over a strip.
const marks = {
  hooks: {
    draw: (u) => {
      u.ctx.save();
      u.ctx.strokeStyle = ink('--quiet');
      u.ctx.setLineDash([3, 3]);
      for (const c of changes) {
        const x = Math.round(u.valToPos(Date.parse(c.at) / 1000, 'x', true)) + .5;
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
        u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top);
        u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
        u.ctx.stroke();
      }
      u.ctx.restore();
    },
  },
};

// binary are steps of an axis of bytes, natural those of an axis of things that are counted.
const binary = Array.from({length: 45}, (_, i) => 2 ** i);
const natural = Array.from({length: 45}, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));

function compact(v, isBytes) {
  if (isBytes) return bytes(v);
  return Math.abs(v) >= 10000 ? new Intl.NumberFormat('en', {notation: 'compact'}).format(v) : tenths.format(v);
}

function strip(group) {
  const title = element('h3', '', group.name), plot = element('div', 'plot'), legend = element('ul', 'legend');
  const box = element('div', 'strip', title, plot, legend);
  const isBytes = group.name.includes('bytes'), steps = isBytes ? {incrs: binary} : group.name.includes('per second') ? {} : {incrs: natural};
  let chart = null, lines = '', width = 0, dark = null;
  const build = (g) => {
    chart?.destroy();
    const axis = () => ({stroke: ink('--quiet'), grid: {stroke: ink('--line'), width: 1}, ticks: {show: false}, font: '12px system-ui, "DejaVu Sans", sans-serif'});
    chart = new uPlot({
      width, height: 120, legend: {show: false}, cursor: {show: false}, padding: [8, 30, 0, 0], plugins: [marks],
      scales: {x: {time: true, range: (_, min, max) => [min, Math.max(max, min + 20)]}, y: {range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1]}},
      axes: [{...axis(), size: 26, space: 70, values: (_, ticks) => ticks.map((s) => new Date(s * 1000).toLocaleTimeString('en-GB', g.span > 300 ? {hour: '2-digit', minute: '2-digit'} : {}))},
        {...axis(), size: 64, space: 36, ...steps, values: (_, ticks) => ticks.map((v) => compact(v, isBytes))}],
      series: [{}, ...g.series.map((s, i) => ({label: s.line, stroke: ink(`--c${i % 6 + 1}`), width: 2, dash: dashes[i % 6], points: {show: g.times.length < 3}}))],
    }, [g.times, ...g.series.map((s) => s.values)], plot);
  };
  return {
    element: box,
    update(g) {
      const nowDark = matchMedia('(prefers-color-scheme: dark)').matches, names = g.series.map((s) => s.line).join('\n') + (g.times.length < 3) + (g.span > 300);
      if (!chart || names !== lines || plot.clientWidth !== width || dark !== nowDark) {
        lines = names; width = plot.clientWidth; dark = nowDark;
        if (width > 0) build(g);
      } else {
        chart.setData([g.times, ...g.series.map((s) => s.values)]);
      }
      list(legend, g.series, (s, i) => i + s.line, (s) => {
        const text = element('span');
        return {element: element('li', '', sample(g.series.indexOf(s)), text), update(line) {
          const last = line.values.findLast((v) => v !== null);
          write(text, line.line + (last === undefined ? '' : ' ' + compact(last, isBytes)));
        }};
      });
    },
  };
}

function showHistory(history) {
  const first = Date.parse(history.first) / 1000;
  const groups = new Map();
  for (const s of history.series) {
    const cut = s.name.indexOf(': '), name = s.name.slice(0, cut);
    if (!groups.has(name)) {
      const times = s.values.map((_, i) => first + i * history.step_seconds);
      groups.set(name, {name, times, span: times.length * history.step_seconds, series: []});
    }
    groups.get(name).series.push({line: s.name.slice(cut + 2), values: s.values});
  }
  for (const g of groups.values()) g.series.sort((a, b) => (b.line === 'in') - (a.line === 'in')); // what came in has the first colour
  // A strip that has been flat at 0 since the beginning says nothing.
  const shown = [...groups.values()].map((g) => ({...g, series: g.series.filter((s) => s.values.some((v) => v))})).filter((g) => g.series.length > 0);
  list(at('strips'), shown, (g) => g.name, strip);
}

// ---- copying ----

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    write(at('done'), done);
  } catch {
    at('paste-text').value = text;
    at('paste').showModal();
    at('paste-text').select();
  }
}

at('paste-close').addEventListener('click', () => at('paste').close());

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    write(at('done'), 'That failed: ' + error.message);
  }
}

at('copy').addEventListener('click', () => attempt(async () => copy(await (await ask('/api/v1/text')).text(), 'The page is copied as text.')));

at('bundle').addEventListener('click', () => attempt(async () => {
  const url = URL.createObjectURL(await (await ask('/api/v1/bundle')).blob());
  const a = element('a');
  a.href = url;
  a.download = 'gateway.json';
  a.click();
  URL.revokeObjectURL(url);
  write(at('done'), 'The bundle is saved as gateway.json.');
}));

// ---- once per second ----

let answered = null, beats = 0, history = null, timer = 0;

function show(state) {
  at('login').hidden = true;
  at('main').hidden = false;
  changes = state.changes;
  showInstance(state);
  showVerdict(state);
  showTimes(state);
  showLedger(state);
  showOffenders(state);
  showComponents(state);
  showChanges(state);
}

// pause is the time until the next question, in ms. A tab that nobody sees asks less often.
const pause = () => document.hidden ? 10_000 : 1000;

async function tick() {
  clearTimeout(timer);
  timer = 0; // a question is under way
  try {
    const state = await (await ask('/api/v1/state')).json();
    answered = new Date();
    at('stale').hidden = true;
    document.body.classList.remove('stale');
    show(state);
    if (beats++ % 5 === 0) history = await (await ask('/api/v1/history')).json();
    if (history) showHistory(history);
  } catch (error) {
    if (error instanceof Unauthorized) {
      askForToken(sessionStorage.getItem(tokenKey) !== null);
      return; // the form goes on
    }
    at('stale').hidden = false;
    document.body.classList.add('stale');
    write(at('stale'), answered ? 'The gateway has not answered since ' + answered.toLocaleTimeString('en-GB') + '. What follows is of then.' : 'The gateway does not answer: ' + error.message);
  }
  timer = setTimeout(tick, pause());
}

document.addEventListener('visibilitychange', () => { if (!document.hidden && timer) tick(); });

tick();
