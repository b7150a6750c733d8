// Keys, the view that is shown, and the start of the page.
const KEYS = [
  ['j ↓', 'next turn'], ['k ↑', 'turn before'], ['n →', 'next episode of the list'], ['p ←', 'episode before'],
  ['[ ]', 'member of the group'], ['d D', 'next, previous turn where the signs differ'], ['g', 'the group side by side'], ['b', 'what if: other continuations of this turn'],
  ['t', 'tokens'], ['c', 'reward components'], ['x', 'swap the two estimators'], ['1 2 3', 'tint by reward, first, second estimator'],
  ['s', 'same scale for both'], ['e', 'unfold all long texts'], ['/', 'search'], ['f', 'filters'], ['y', 'copy a link to this turn'], ['?', 'this help'], ['Esc', 'back'],
];

function moveMember(step) {
  const members = state.at >= 0 ? groups[index.group[state.at]].members : [];
  const next = members[members.indexOf(state.at) + step];
  if (next !== undefined) go('episode', next, Math.min(state.turn, index.turns[next] - 1));
}

function disagreement(step) {
  const differs = (at, turn) => {
    const [a, b] = [advantages(at, state.left), advantages(at, state.right)];
    return a && b && a[turn] * b[turn] < 0;
  };
  if (state.at >= 0) {
    for (let turn = state.turn + step; turn >= 0 && turn < index.turns[state.at]; turn += step) if (differs(state.at, turn)) { toTurn(turn); return; }
  }
  for (let place = order.indexOf(state.at) + step; place >= 0 && place < order.length; place += step) {
    const at = order[place];
    const turns = [...Array(index.turns[at]).keys()];
    const turn = (step > 0 ? turns : turns.reverse()).find((each) => differs(at, each));
    if (turn !== undefined) { go('episode', at, turn); return; }
  }
  say('No further turn where the signs differ.');
}

function flip(name, on, off) {
  remember(name, remember(name) === on ? off : on);
  drawnEpisode = '';
  render();
}

async function copyLink() {
  const link = location.href.split('#')[0] + addressOf(state.view, state.at, state.turn);
  try { await navigator.clipboard.writeText(link); say('Link copied.'); } catch { window.prompt('Link to this turn', link); }
}

let saying = 0;
function say(text) {
  find('#say').textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => { find('#say').textContent = ''; }, 4000);
}

const PRESS = {
  j: () => toTurn(state.turn + 1), k: () => toTurn(state.turn - 1), ArrowDown: () => toTurn(state.turn + 1), ArrowUp: () => toTurn(state.turn - 1),
  n: () => moveInList(1), p: () => moveInList(-1), ArrowRight: () => moveInList(1), ArrowLeft: () => moveInList(-1),
  '[': () => moveMember(-1), ']': () => moveMember(1), d: () => disagreement(1), D: () => disagreement(-1),
  g: () => go(state.view === 'group' ? 'episode' : 'group'), t: () => flip('tokens', 'yes', 'no'), c: () => flip('parts', 'no', 'yes'), s: () => flip('scale', 'same', 'own'),
  b: () => { const fork = find(`#turn-${state.turn + 1} .fork`); if (fork) { fork.open = !fork.open; find('summary', fork).focus(); } else say('No branch was recorded at this turn.'); },
  x: () => { [state.left, state.right] = [state.right, state.left]; compare(); go(state.view, state.at, state.turn, { replace: true }); },
  1: () => paint('reward'), 2: () => paint('left'), 3: () => paint('right'),
  e: () => document.querySelectorAll('#episode .more').forEach((button) => button.click()),
  '/': () => find('#search').focus(), f: () => { find('#filters').open = !find('#filters').open; find('#filter-button').focus(); },
  y: copyLink, '?': () => find('#help').showModal(),
  Escape: () => { if (state.view === 'group') go('episode'); else if (state.view === 'episode') go('list', -1, 0); else { location.hash = '#'; } },
};

function paint(by) {
  state.tint = by;
  drawnEpisode = '';
  go(state.view, state.at, state.turn, { replace: true });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || state.view === 'report' || find('#help').open) return;
  const typing = event.target.closest && event.target.closest('input, select, textarea');
  if (typing) { if (event.key === 'Escape') event.target.blur(); return; }
  if (remember('keys') === 'off' && event.key !== 'Escape' && event.key !== '?') return;
  const action = PRESS[event.key];
  if (!action || ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && state.at < 0)) return;
  event.preventDefault();
  action();
}

function controls() {
  const named = meta.columns.filter((column) => column.rms);
  find('#estimators').hidden = !named.length;
  for (const side of ['left', 'right']) {
    const box = find('#' + side);
    if (!box.options.length) meta.columns.forEach((column, number) => { if (column.rms) box.append(make('option', { value: number }, column.title)); });
    box.value = state[side];
  }
  document.querySelectorAll('input[name=tint]').forEach((input) => { input.checked = input.value === state.tint; });
}

function render() {
  const report = state.view === 'report';
  document.body.dataset.view = state.view;
  find('#viewer').hidden = report;
  find('#report').hidden = !report;
  for (const tab of document.querySelectorAll('nav.tabs a')) {
    if ((tab.dataset.tab === 'report') === report) tab.setAttribute('aria-current', 'page'); else tab.removeAttribute('aria-current');
  }
  if (report) { document.title = meta.title; return; }
  document.title = (state.at >= 0 ? index.id[state.at] + ' · ' : '') + meta.title;
  controls(); drawList();
  if (state.view === 'group') drawGroup(); else drawEpisode();
}

function doors() {
  const links = [];
  const add = (title, at, turn) => { if (at !== undefined) links.push(make('li', {}, make('a', { href: addressOf('episode', at, turn || 0) }, title), make('small', {}, ' ' + meta.runs[index.run[at]].title + ', ' + where(at)))); };
  const all = [...Array(index.count).keys()];
  if (meta.columns.length) {
    const top = all.filter((at) => apart.size[at] > 0).sort(SORTS.apart[1])[0];
    if (top !== undefined) add('The episode on which the two estimators are furthest apart', top, apart.turn[top]);
  }
  for (const [title, wanted] of [['A typical success', true], ['A typical failure', false]]) {
    const fitting = all.filter((at) => index.success[at] === wanted && index.end[at] !== 'fault').sort((x, y) => index.total[x] - index.total[y] || x - y);
    add(title + ' (median return)', fitting[Math.floor(fitting.length / 2)]);
  }
  const place = find('#openings');
  if (place && links.length) place.replaceChildren(make('ul', {}, links));
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  remember('theme', name);
}

async function start() {
  document.documentElement.classList.add('script');
  const chosen = remember('theme') || 'auto';
  document.documentElement.dataset.theme = chosen;
  const box = find('#theme');
  box.value = chosen;
  box.addEventListener('change', () => theme(box.value));
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(button.parentElement.querySelector('code').textContent); button.textContent = 'copied'; } catch { button.textContent = 'select and copy'; }
    });
  }
  if (!find('#viewer')) return;
  try { await load(); } catch (error) {
    find('#viewer').append(make('p', { class: 'empty' }, 'This browser cannot read the episodes (' + error.message + '): it needs DecompressionStream, which all have since 2023.'));
    return;
  }
  compare(); arrange(); wireList(); doors();
  for (const side of ['left', 'right']) find('#' + side).addEventListener('change', (event) => select(side, Number(event.target.value)));
  document.querySelectorAll('input[name=tint]').forEach((input) => input.addEventListener('change', () => paint(input.value)));
  find('#swap').addEventListener('click', PRESS.x);
  find('#help-button').addEventListener('click', PRESS['?']);
  find('#back').addEventListener('click', () => go('list', -1, 0));
  find('#keys').replaceChildren(...KEYS.map(([key, what]) => make('tr', {}, make('th', { scope: 'row' }, make('kbd', {}, key)), make('td', {}, what))));
  const single = find('#single-keys');
  single.checked = remember('keys') !== 'off';
  single.addEventListener('change', () => remember('keys', single.checked ? 'on' : 'off'));
  window.addEventListener('hashchange', readAddress);
  document.addEventListener('keydown', onKey);
  if (meta.opensEpisodes && !location.hash) go('list', -1, 0, { replace: true }); else { shownAddress = null; readAddress(); }
  document.documentElement.dataset.ready = 'yes';
}

start();
