// The address says what is shown, by the episodes' own ids, so that a link goes on working when the list changes.
const SHORT = { left: 'a', right: 'b' };

function addressOf(view, at, turn) {
  const query = new URLSearchParams();
  if (meta.columns.length) {
    query.set(SHORT.left, meta.columns[state.left].name);
    query.set(SHORT.right, meta.columns[state.right].name);
    query.set('tint', state.tint);
  }
  for (const [name, value] of Object.entries(state.filters)) query.append('f', name + ':' + value);
  if (state.sort !== 'apart') query.set('sort', state.sort);
  const path = view === 'list' || at < 0 ? '#/list' : '#/' + (view === 'group' ? 'g' : 'e') + '/' +
    index.id[at].split('/').map(encodeURIComponent).join('/') + '/t' + (turn + 1);
  return path + '?' + query;
}

let shownAddress = '';

function go(view, at = state.at, turn = state.turn, { replace = false } = {}) {
  state.view = view; state.at = at; state.turn = turn;
  const address = addressOf(view, at, turn);
  shownAddress = address;
  try {
    if (replace) history.replaceState(null, '', address); else location.hash = address;
  } catch { /* inside a notebook there is no address */ }
  render();
}

function readAddress() {
  const address = location.hash;
  if (address === shownAddress) return;
  shownAddress = address;
  if (!address.startsWith('#/')) { state.view = 'report'; render(); return; }
  const [path, text] = address.slice(2).split('?');
  const query = new URLSearchParams(text || '');
  const columns = meta.columns.map((column) => column.name);
  for (const [side, name] of Object.entries(SHORT)) {
    const place = columns.indexOf(query.get(name));
    if (place >= 0) state[side] = place;
  }
  if (['left', 'right', 'reward'].includes(query.get('tint'))) state.tint = query.get('tint');
  state.filters = {};
  for (const filter of query.getAll('f')) {
    const cut = filter.indexOf(':');
    if (FILTERS[filter.slice(0, cut)]) state.filters[filter.slice(0, cut)] = filter.slice(cut + 1);
  }
  state.sort = SORTS[query.get('sort')] ? query.get('sort') : 'apart';
  compare(); arrange();
  const parts = path.split('/').map(decodeURIComponent);
  if (parts[0] !== 'e' && parts[0] !== 'g') { state.view = 'list'; render(); return; }
  const last = parts[parts.length - 1].match(/^t(\d+)$/);
  const id = parts.slice(1, last ? -1 : undefined).join('/');
  state.view = parts[0] === 'g' ? 'group' : 'episode';
  state.at = index.place.has(id) ? index.place.get(id) : -1;
  state.missing = state.at < 0 ? id : '';
  state.turn = state.at < 0 ? 0 : Math.min(Math.max(0, (last ? Number(last[1]) : 1) - 1), index.turns[state.at] - 1);
  render();
}

function select(side, column) {
  state[side] = column;
  compare(); arrange();
  go(state.view, state.at, state.turn, { replace: true });
}
