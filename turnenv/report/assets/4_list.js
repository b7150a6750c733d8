// The list: equal rows, of which only those in sight exist.
const ROW = 44;
const CELLS = 10;
const GLYPHS = { success: '✓', failed: '✗', limit: '⇥', fault: '⚠' };

function statusOf(at) {
  if (index.end[at] === 'fault') return 'fault';
  if (index.success[at]) return 'success';
  return index.end[at].endsWith('_limit') ? 'limit' : 'failed';
}
const STATUS = { success: 'success', failed: 'failed', limit: 'cut by a limit', fault: 'fault' };

function tintColumn() {
  return state.tint === 'reward' ? null : state[state.tint];
}

function valuesShown(at) {
  const column = tintColumn();
  return column === null ? [rewards(at), meta.rewardRms] : [advantages(at, column), scaleOf(column)];
}

// When it was played, and as which member of its group; the task between them where it is not shown elsewhere.
function where(at, task = `task ${index.task[at]}`) {
  const played = index.played[at] === 'played' ? '' : index.played[at].replace(/^training, /, '');
  return [played, task, index.member[at] >= 0 ? `member ${index.member[at] + 1}` : ''].filter(Boolean).join(' · ');
}

function row(at, place) {
  const [values, scale] = valuesShown(at);
  const shown = values || rewards(at).map(() => null);
  const cells = shown.slice(0, CELLS).map((value) => make('i', { class: 'tint-' + (values ? tint(value, scale) : 'none') }));
  const run = meta.runs[index.run[at]];
  const status = statusOf(at);
  return make('div', {
    class: 'row', role: 'option', id: 'row-' + at, 'aria-selected': at === state.at ? 'true' : 'false',
    'aria-posinset': place + 1, 'aria-setsize': order.length, style: `top:${place * ROW}px`,
    onclick: () => go('episode', at, apart.opposite[at] ? apart.turn[at] : 0),
  },
  make('span', { class: 'glyph ' + status, 'aria-label': STATUS[status] }, GLYPHS[status]),
  make('span', { class: 'what' }, make('b', {}, ...visible(run.title)), make('small', {}, where(at))),
  make('span', { class: 'strip', 'aria-hidden': 'true' }, cells, shown.length > CELLS ? '…' : ''),
  make('span', { class: 'sum' }, make('b', {}, fixed(index.total[at])), make('small', {}, times(index.turns[at], 'turn'))));
}

let drawn = '';

function drawRows(force) {
  const list = find('#rows');
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 6);
  const last = Math.min(order.length, first + Math.ceil(list.clientHeight / ROW) + 12);
  const key = first + ':' + last;
  if (!force && key === drawn) return;
  drawn = key;
  const tall = find('#tall');
  tall.style.height = order.length * ROW + 'px';
  tall.replaceChildren(...order.slice(first, last).map((at, place) => row(at, first + place)));
  const shown = state.at >= 0 && document.getElementById('row-' + state.at);
  if (shown) list.setAttribute('aria-activedescendant', 'row-' + state.at); else list.removeAttribute('aria-activedescendant');
}

function bringToSight(at) {
  const place = order.indexOf(at);
  const list = find('#rows');
  if (place < 0) return;
  if (place * ROW < list.scrollTop) list.scrollTop = place * ROW;
  else if ((place + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * ROW - list.clientHeight;
}

const MOST_CHIPS = 24;

function chip(name, value, count) {
  return make('button', {
    type: 'button', class: 'chip', 'data-key': name + ':' + value, 'aria-pressed': state.filters[name] === value ? 'true' : 'false',
    onclick: () => toggle(name, value),
  }, ...visible(value), make('small', {}, count.toLocaleString('en')));
}

// Of many values one is typed.
function valueBox(name, title, counts) {
  const box = make('input', { 'data-key': name, list: 'values-' + name, 'aria-label': title, placeholder: `one of ${counts.length.toLocaleString('en')}`, autocomplete: 'off', size: 14 });
  box.addEventListener('change', () => { if (box.value.trim()) { state.filters[name] = box.value.trim(); refilter(); } });
  return [box, make('datalist', { id: 'values-' + name }, counts.slice(0, 500).map(([value, count]) => make('option', { value }, times(count, 'episode'))))];
}

function chips() {
  const focused = document.activeElement && document.activeElement.dataset.key;
  const fieldsets = Object.entries(FILTERS).map(([name, filter]) => {
    const counts = countsOf(name);
    const chosen = state.filters[name];
    if (counts.length < 2 && chosen === undefined) return null;
    const many = counts.length > MOST_CHIPS;
    const shown = many ? [] : counts;
    if (chosen !== undefined && !shown.some(([value]) => value === chosen)) shown.push([chosen, new Map(counts).get(chosen) || 0]);
    return make('fieldset', {}, make('legend', {}, filter.title), shown.map(([value, count]) => chip(name, value, count)), many ? valueBox(name, filter.title, counts) : null);
  });
  const place = find('#chips');
  place.replaceChildren(...fieldsets.filter(Boolean));
  const again = focused && [...place.querySelectorAll('[data-key]')].find((each) => each.dataset.key === focused);
  if (again) again.focus({ preventScroll: true });
}

function toggle(name, value) {
  if (state.filters[name] === value) delete state.filters[name]; else state.filters[name] = value;
  refilter();
}

function refilter() {
  arrange();
  find('#rows').scrollTop = 0;
  go(state.view === 'report' ? 'list' : state.view, state.at, state.turn, { replace: true });
}

function drawList() {
  const active = Object.keys(state.filters).length;
  find('#count').textContent = order.length === index.count
    ? times(index.count.toLocaleString('en'), 'episode').replace(/^1 episodes/, '1 episode')
    : order.length.toLocaleString('en') + ' of ' + index.count.toLocaleString('en') + ' episodes';
  find('#filter-button').textContent = active ? `Filters (${active})` : 'Filters';
  find('#clear').hidden = !active && !state.found;
  find('#sort').value = state.sort;
  if (find('#filters').open) chips();
  find('#no-rows').hidden = order.length > 0;
  bringToSight(state.at);
  drawRows(true);
}

async function runSearch() {
  const text = find('#search').value;
  const note = find('#search-note');
  if (!text) { searching += 1; state.found = null; note.textContent = ''; refilter(); return; }
  find('#cancel').hidden = false;
  const found = await search(text, (done, total, count) => {
    note.textContent = `${count} found, ${Math.round(100 * done / total)} % searched`;
  });
  find('#cancel').hidden = true;
  if (!found) return;
  note.textContent = `${found.size} found`;
  state.found = found;
  refilter();
}

function wireList() {
  find('#sort').replaceChildren(...Object.entries(SORTS).map(([name, [title]]) => make('option', { value: name }, title)));
  find('#sort').addEventListener('change', (event) => { state.sort = event.target.value; refilter(); });
  find('#rows').addEventListener('scroll', () => drawRows(false), { passive: true });
  find('#rows').addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step) { event.preventDefault(); event.stopPropagation(); moveInList(step); }
    if (event.key === 'Enter' && state.at >= 0) { event.preventDefault(); find('#episode').focus(); }
  });
  find('#filters').addEventListener('toggle', () => { if (find('#filters').open) chips(); });
  find('#clear').addEventListener('click', () => {
    state.filters = {}; state.found = null; find('#search').value = ''; find('#search-note').textContent = ''; refilter();
  });
  find('#cancel').addEventListener('click', () => { searching += 1; find('#cancel').hidden = true; find('#search-note').textContent = 'stopped'; });
  find('#search').addEventListener('keydown', (event) => { if (event.key === 'Enter') runSearch(); });
  find('#search').addEventListener('search', () => { if (!find('#search').value) runSearch(); });
  window.addEventListener('resize', () => { if (state.view !== 'report') drawRows(true); });
}

function moveInList(step) {
  const place = order.indexOf(state.at);
  const next = order[Math.min(Math.max(place + step, 0), order.length - 1)];
  if (next !== undefined) go('episode', next, 0);
}
