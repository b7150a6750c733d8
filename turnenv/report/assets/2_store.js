// What is known of the episodes: the index (read at once) and the blocks of texts (read when they are needed).
let meta, index, groups;
const blocks = new Map();
const KEPT_BLOCKS = 24;
const state = { view: 'report', at: -1, turn: 0, left: 0, right: 0, tint: 'left', filters: {}, sort: 'apart', query: '', found: null };
let order = [];
let apart = { size: [], turn: [], opposite: [] };

async function load() {
  const packed = await unpack('turnenv-index');
  ({ meta, index, groups } = packed);
  index.count = index.id.length;
  index.from = [];
  let from = 0;
  for (const turns of index.turns) { index.from.push(from); from += turns; }
  index.place = new Map(index.id.map((id, number) => [id, number]));
  const names = meta.columns.map((column) => column.name);
  const pair = (meta.pair || []).map((name) => names.indexOf(name));
  state.left = Math.max(0, pair[0] ?? 0);
  state.right = Math.max(0, pair[1] ?? Math.min(1, names.length - 1));
  state.tint = names.length && index.count && meta.columns.some((column) => column.rms) ? 'left' : 'reward';
}

function block(number) {
  if (!blocks.has(number)) {
    if (blocks.size >= KEPT_BLOCKS) blocks.delete(blocks.keys().next().value);
    blocks.set(number, unpack('turnenv-block-' + number));
  }
  return blocks.get(number);
}

const details = async (at) => (await block(Math.floor(at / meta.block)))[at % meta.block];
const rewards = (at) => index.rewards.slice(index.from[at], index.from[at] + index.turns[at]);

// The advantages of an episode in a column, or null where the column has none of it.
function advantages(at, column) {
  const values = meta.columns[column] && index.advantages[column];
  if (!values) return null;
  const row = values.slice(index.from[at], index.from[at] + index.turns[at]);
  return row.length && row[0] !== null ? row : null;
}

function scaleOf(column) {
  if (remember('scale') === 'same') return Math.max(meta.columns[state.left].rms, meta.columns[state.right].rms);
  return meta.columns[column].rms;
}

// Of every episode: how far apart the two columns are at most, at which turn, and whether they differ in sign there.
function compare() {
  const [a, b] = [state.left, state.right];
  apart = { size: new Float64Array(index.count), turn: new Int32Array(index.count), opposite: new Uint8Array(index.count) };
  if (!meta.columns.length) return;
  const [left, right] = [index.advantages[a], index.advantages[b]];
  const [scaleA, scaleB] = [meta.columns[a].rms || 1, meta.columns[b].rms || 1];
  for (let at = 0; at < index.count; at += 1) {
    for (let turn = 0; turn < index.turns[at]; turn += 1) {
      const [x, y] = [left[index.from[at] + turn], right[index.from[at] + turn]];
      if (x === null || y === null) continue;
      const size = Math.abs(x / scaleA - y / scaleB);
      const opposite = x * y < 0 ? 1 : 0;
      if (opposite > apart.opposite[at] || (opposite === apart.opposite[at] && size > apart.size[at])) {
        apart.size[at] = size; apart.turn[at] = turn; apart.opposite[at] = opposite;
      }
    }
  }
}

const FILTERS = {
  outcome: { title: 'Outcome', of: (at) => (index.end[at] === 'fault' ? 'fault' : index.success[at] ? 'success' : 'failed') },
  cut: { title: 'Truncated', of: (at) => (index.end[at].endsWith('_limit') ? 'truncated' : 'not truncated') },
  end: { title: 'End', of: (at) => index.end[at] },
  environment: { title: 'Environment', many: true, of: (at) => (meta.runs[index.run[at]].method ? [] : [meta.runs[index.run[at]].title]) },
  method: { title: 'Method', of: (at) => meta.runs[index.run[at]].method },
  seed: { title: 'Run seed', of: (at) => meta.runs[index.run[at]].seed },
  played: { title: 'Played', of: (at) => index.played[at] },
  actions: { title: 'Actions', of: (at) => (index.invalid[at] ? 'has an invalid action' : 'all valid') },
  signs: { title: 'The two estimators', of: (at) => (apart.opposite[at] ? 'differ in sign' : 'agree in sign') },
  turns: { title: 'Turns', of: (at) => String(index.turns[at]) },
  task: { title: 'Task', of: (at) => String(index.task[at]) },
  reset: { title: 'Episode seed', of: (at) => index.seed[at] },
  paid: { title: 'Component paid', many: true, of: (at) => index.paid[at].map((number) => meta.components[number]) },
};
const valuesOf = (name, at) => { const value = FILTERS[name].of(at); return Array.isArray(value) ? value : [value]; };

function passes(at, except) {
  for (const [name, wanted] of Object.entries(state.filters)) {
    if (name !== except && !valuesOf(name, at).includes(wanted)) return false;
  }
  return !state.found || state.found.has(at);
}

const SORTS = {
  apart: ['estimators furthest apart', (x, y) => apart.opposite[y] - apart.opposite[x] || apart.size[y] - apart.size[x] || x - y],
  order: ['as recorded', (x, y) => x - y],
  highest: ['return, highest first', (x, y) => index.total[y] - index.total[x] || x - y],
  lowest: ['return, lowest first', (x, y) => index.total[x] - index.total[y] || x - y],
  longest: ['turns, most first', (x, y) => index.turns[y] - index.turns[x] || x - y],
};

function arrange() {
  order = [];
  for (let at = 0; at < index.count; at += 1) if (passes(at)) order.push(at);
  order.sort((SORTS[state.sort] || SORTS.order)[1]);
}

function countsOf(name) {
  const counts = new Map();
  for (let at = 0; at < index.count; at += 1) {
    if (passes(at, name)) for (const value of valuesOf(name, at)) counts.set(value, (counts.get(value) || 0) + 1);
  }
  return [...counts].sort((x, y) => String(x[0]).localeCompare(String(y[0]), 'en', { numeric: true }));
}

let searching = 0;

// Search in every text, block by block; `progress` is called with blocks done, blocks in all and episodes found.
async function search(text, progress) {
  const mine = (searching += 1);
  const wanted = text.toLocaleLowerCase('en');
  const found = new Set();
  const total = Math.ceil(index.count / meta.block);
  for (let number = 0; number < total; number += 1) {
    const part = blocks.has(number) ? await blocks.get(number) : await unpack('turnenv-block-' + number);
    if (mine !== searching) return null;
    part.forEach((each, place) => {
      const texts = [...each.seen, ...each.said, ...each.thought, each.last, each.fault];
      if (texts.some((one) => one.toLocaleLowerCase('en').includes(wanted))) found.add(number * meta.block + place);
    });
    progress(number + 1, total, found.size);
    await new Promise((done) => setTimeout(done));
  }
  return found;
}
