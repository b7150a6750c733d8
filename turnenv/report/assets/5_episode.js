// One episode: a sentence, two strips, then the conversation turn by turn with a receipt for every number.
const nameOf = (column) => meta.columns[column].title;

function headline(at, fault) {
  if (index.end[at] === 'fault') return `The infrastructure failed (${fault || 'no cause recorded'}): this episode is in nobody's statistics.`;
  const [a, b] = [advantages(at, state.left), advantages(at, state.right)];
  const alone = !groups[index.group[at]].compared;
  if (!a && !b) {
    return alone ? `Played alone, so no estimator compares it: ${times(index.turns[at], 'turn')}, return ${plain(index.total[at])}.`
      : 'Neither column has numbers for this episode.';
  }
  if (!a || !b) return `Only ${nameOf(a ? state.left : state.right)} has numbers for this episode.`;
  const everyone = groups[index.group[at]].members;
  const dead = (column) => everyone.every((each) => (advantages(each, column) || [0]).every((value) => value === 0));
  if (dead(state.left) && dead(state.right)) return 'All members of its group got advantage 0: this group teaches nothing.';
  const turn = apart.turn[at];
  const verb = (value) => (value > 0 ? 'credits' : 'blames');
  const pair = (word) => `${nameOf(state.left)} ${word(a[turn])} it (${signed(a[turn])}), ${nameOf(state.right)} ${word(b[turn])} it (${signed(b[turn])})`;
  if (state.left === state.right) return `${nameOf(state.left)} at turn ${turn + 1}: ${signed(a[turn])}.`;
  if (apart.opposite[at]) return `They disagree most at turn ${turn + 1}: ${pair(verb)}.`;
  if (apart.size[at] < 0.005) return 'Both give the same credit at every turn.';
  return `Both agree in sign on every turn; they differ most at turn ${turn + 1}: ` +
    `${nameOf(state.left)} ${signed(a[turn])}, ${nameOf(state.right)} ${signed(b[turn])}.`;
}

const RANKS = (place) => place + (['st', 'nd', 'rd'][((place + 90) % 100 - 10) % 10 - 1] || 'th');

function rank(at, turn, of) {
  const others = groups[index.group[at]].members.map((each) => of(each)).filter((row) => row && turn < row.length).map((row) => row[turn]);
  const mine = of(at)[turn];
  return `${RANKS(1 + others.filter((value) => value > mine).length)} highest of the ${others.length} members that took turn ${turn + 1}`;
}

function termLine(term, at, turn, z) {
  const [what, weight] = term;
  const stats = groups[index.group[at]].stats;
  const [value, mean, spread, count, label] = {
    t: () => [rewards(at)[turn], stats.turns[turn][1], stats.turns[turn][2], stats.turns[turn][0], `reward of turn ${turn + 1}`],
    o: () => [index.outcome[at], ...stats.outcome, stats.count, 'outcome'],
    r: () => [index.total[at], ...stats.total, stats.count, 'return'],
    s: () => [index.total[at] - index.outcome[at], ...stats.paid, stats.count, 'sum of turn rewards'],
  }[what]();
  const score = what === 't' ? z.t[turn] : z[what];
  const factor = weight === 1 ? '' : `${plain(weight)} × `;
  return make('li', {}, make('b', {}, signed(weight * score)), ` = ${factor}z of the ${label}: ${plain(value, 3)} − group mean ${plain(mean, 3)}, ÷ spread ${plain(spread, 3)} (${times(count, 'member')}) = ${signed(score)}`);
}

// The rule behind a number: of those used in training, that of the run's own method.
function ruleOf(at, column) {
  const spec = meta.columns[column];
  if (spec.name !== 'used') return spec;
  const maker = meta.makers[index.maker[at]];
  const same = meta.columns.find((each) => each.name === maker);
  return { ...spec, formula: maker + (same && same.formula ? ': ' + same.formula : ''), terms: same ? same.terms : null };
}

function receipt(at, turn, column, detail) {
  const spec = ruleOf(at, column);
  const values = advantages(at, column);
  const lines = [make('p', { class: 'receipt-title' }, make('b', {}, spec.title), ` at turn ${turn + 1}: `, make('b', {}, signed(values[turn], 3)))];
  if (spec.terms && detail.z) {
    const terms = turn === index.turns[at] - 1 ? spec.terms.last : spec.terms.before;
    lines.push(make('ul', {}, terms.map((term) => termLine(term, at, turn, detail.z))));
  }
  lines.push(make('p', {}, spec.formula ? 'Rule: ' + spec.formula : '', spec.formula ? '. ' : '',
    groups[index.group[at]].compared ? rank(at, turn, (each) => advantages(each, column)) + '.' : ''));
  lines.push(make('p', { class: 'quiet' }, spec.note));
  return lines;
}

function rewardReceipt(at, turn, detail) {
  const stats = groups[index.group[at]].stats;
  const lines = [make('p', { class: 'receipt-title' }, 'Reward of turn ', turn + 1, ': ', make('b', {}, signed(rewards(at)[turn], 3)))];
  lines.push(make('ul', {}, detail.parts[turn].map(([number, value]) => make('li', {}, make('b', {}, signed(value, 3)), ' ', ...visible(meta.components[number])))));
  if (stats) {
    const [count, mean, spread] = stats.turns[turn];
    lines.push(make('p', {}, `Group at this turn: mean ${plain(mean, 3)}, spread ${plain(spread, 3)} of ${times(count, 'member')}; `, rank(at, turn, rewards), '.'));
  } else lines.push(make('p', { class: 'quiet' }, 'Paid by the environment.'));
  return lines;
}

// A number whose receipt opens on hover, on focus and, to stay, by click or Enter.
function cell(title, value, scale, open, extra) {
  const box = make('div', { class: 'cell tint-' + tint(value, scale) + (extra ? ' ' + extra : '') });
  const button = make('button', { type: 'button', 'aria-expanded': 'false' },
    make('small', {}, title), make('b', {}, signed(value)), make('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow(value)),
    make('span', { class: 'hint', 'aria-hidden': 'true' }, 'why?'));
  const paper = make('div', { class: 'receipt', role: 'note' });
  const fill = () => { if (!paper.childNodes.length) paper.append(...open()); };
  box.addEventListener('pointerenter', fill);
  button.addEventListener('focus', fill);
  button.addEventListener('click', () => {
    fill();
    button.setAttribute('aria-expanded', String(box.classList.toggle('open')));
  });
  box.append(button, paper);
  return box;
}

function emptyCell(title, why) {
  return make('div', { class: 'cell tint-none' }, make('p', {}, make('small', {}, title), make('span', { class: 'quiet' }, why)));
}

function tokens(turn, detail) {
  if (!detail.tokens) return make('p', { class: 'quiet tokens' }, 'The tokens of this episode are not in this file.');
  const pieces = detail.tokens[turn].map((piece, place) => {
    const chance = detail.logprobs && detail.logprobs[turn] ? detail.logprobs[turn][place] : null;
    const thick = chance === null || chance === undefined ? 1 : chance > -0.5 ? 1 : chance > -2 ? 2 : 4;
    return make('span', { class: 'token thick-' + thick, title: chance === null || chance === undefined ? 'sampled' : `sampled with probability ${Math.exp(chance).toPrecision(2)}` }, ...visible(piece || ' '));
  });
  const used = detail.trained ? `${times(pieces.length, 'token')} sampled and trained on` : `${times(pieces.length, 'token')} sampled, not trained on (faulted or dropped)`;
  return make('div', { class: 'tokens' }, make('p', { class: 'quiet' }, used + '; a thicker line is a less likely token. What the environment wrote is shown, not trained.'),
    make('div', { class: 'said' + (detail.trained ? '' : ' untrained') }, pieces));
}

function branches(at, turn) {
  const here = groups[index.group[at]].members.filter((each) => {
    const parent = index.parent[each];
    return parent && groups[index.group[at]].members[parent[0]] === at && parent[1] === turn;
  });
  if (!here.length) return null;
  const mean = here.reduce((sum, each) => sum + index.outcome[each], 0) / here.length;
  return make('details', { class: 'fork' }, make('summary', {}, `⑂ what if: ${times(here.length, 'other continuation')} from here, mean outcome ${plain(mean)}`),
    make('ul', {}, here.map((each) => make('li', {}, make('button', { type: 'button', class: 'link', onclick: () => go('episode', each, turn) },
      `member ${index.member[each] + 1}: outcome ${plain(index.outcome[each])}, ${times(index.turns[each], 'turn')}`)))));
}

function turnPart(at, turn, detail) {
  const side = [cell('reward', rewards(at)[turn], meta.rewardRms, () => rewardReceipt(at, turn, detail), 'reward')];
  const parts = detail.parts[turn].filter(([, value]) => value !== 0);
  side.push(make('ul', { class: 'parts' }, parts.map(([number, value]) => make('li', {}, make('span', {}, ...visible(meta.components[number])), ' ', make('b', {}, signed(value))))));
  const pair = make('div', { class: 'pair' });
  const faulted = index.end[at] === 'fault';
  const shown = meta.columns.some((column) => column.rms) && groups[index.group[at]].compared ? [state.left, state.right] : [];
  for (const column of shown) {
    const values = advantages(at, column);
    pair.append(values && !faulted ? cell(nameOf(column), values[turn], scaleOf(column), () => receipt(at, turn, column, detail))
      : emptyCell(nameOf(column), faulted ? 'faulted: masked' : meta.columns[column].missing || 'not recorded'));
  }
  meta.columns.forEach((column, number) => {
    const exact = meta.exact.includes(column.name) && !shown.includes(number) && !faulted && advantages(at, number);
    if (exact) pair.append(cell(column.title, exact[turn], scaleOf(number), () => receipt(at, turn, number, detail), 'exact'));
  });
  if (pair.childNodes.length) side.push(pair);
  const fork = index.parent[at] && index.parent[at][1] === turn
    ? make('p', { class: 'quiet' }, `Branched off member ${index.parent[at][0] + 1} here; the turns before are copies.`) : null;
  return make('article', { class: 'turn', id: 'turn-' + (turn + 1), tabindex: '-1', 'aria-label': 'turn ' + (turn + 1) },
    make('h3', {}, 'turn ' + (turn + 1), detail.valid[turn] ? '' : make('span', { class: 'flag' }, 'not a valid action')),
    make('div', { class: 'words' }, textBlock('seen', detail.seen[turn], 'environment'),
      detail.thought[turn] ? textBlock('thought', detail.thought[turn], 'thinks') : null,
      textBlock('said-by-agent', detail.said[turn], 'agent'), fork, branches(at, turn),
      remember('tokens') === 'yes' ? tokens(turn, detail) : null),
    make('div', { class: 'side' }, side));
}

function strip(at, column) {
  const values = column === null ? rewards(at) : advantages(at, column);
  const scale = column === null ? meta.rewardRms : scaleOf(column);
  const [a, b] = [advantages(at, state.left), advantages(at, state.right)];
  const cells = rewards(at).map((_, turn) => {
    const value = values ? values[turn] : null;
    const differ = column !== null && a && b && a[turn] * b[turn] < 0;
    return make('button', { type: 'button', class: 'tint-' + tint(value, scale) + (differ ? ' differ' : ''), 'aria-current': turn === state.turn ? 'true' : null,
      'aria-label': `turn ${turn + 1}: ${signed(value, 1)}${differ ? ', the signs differ' : ''}`, onclick: () => toTurn(turn) }, signed(value, 1), make('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow(value)));
  });
  return make('div', { class: 'strip-row' }, make('span', { class: 'strip-name' }, column === null ? 'reward' : nameOf(column)), make('div', { class: 'cells' }, cells));
}

function strips(at) {
  const rows = [strip(at, null)];
  if (advantages(at, state.left) || advantages(at, state.right)) rows.push(strip(at, state.left), strip(at, state.right));
  find('#strips').replaceChildren(...rows);
}

let drawnEpisode = '';

async function drawEpisode() {
  const at = state.at;
  const place = find('#episode');
  if (at < 0) {
    place.replaceChildren(make('p', { class: 'empty' }, state.missing ? `There is no episode ${state.missing} in this file. ${meta.leftOut.join(' ')} Run the command at the foot of the report with a larger --max-mb, or without limits, to have it.` : 'Choose an episode from the list.'));
    drawnEpisode = '';
    return;
  }
  const key = [at, state.left, state.right, state.tint, remember('scale'), remember('tokens'), remember('parts')].join();
  if (key === drawnEpisode) { markTurn(); return; }
  const detail = await details(at);
  if (state.at !== at || state.view !== 'episode') return;
  drawnEpisode = key;
  const run = meta.runs[index.run[at]];
  const status = statusOf(at);
  const ended = [];
  if (detail.last) ended.push(textBlock('seen', detail.last, 'environment'));
  ended.push(make('p', {}, make('b', {}, index.end[at]), detail.fault ? [': ', ...visible(detail.fault)] : '', ' · outcome ', make('b', {}, signed(index.outcome[at], 3)),
    detail.outcome.filter(([, value]) => value).map(([number, value]) => [' · ', ...visible(meta.components[number]), ' ', signed(value)])));
  place.replaceChildren(
    make('header', { class: 'top' },
      make('p', { class: 'facts' }, make('b', { class: 'glyph ' + status }, GLYPHS[status] + ' ' + STATUS[status] + (status === 'success' ? '' : ` (${index.end[at]})`)),
        make('span', {}, ...visible(run.title)), make('span', {}, where(at, '')), sameButton('task', at), sameButton('reset', at),
        make('span', {}, 'outcome ' + plain(index.outcome[at])), make('span', {}, 'turn rewards ' + plain(index.total[at] - index.outcome[at]))),
      make('p', { class: 'headline', id: 'headline' }, headline(at, detail.fault)),
      make('div', { id: 'strips', role: 'group', 'aria-label': 'turns' })),
    ...groupLine(at),
    make('div', { id: 'turns' }, rewards(at).map((_, turn) => turnPart(at, turn, detail))),
    make('article', { class: 'turn end' }, make('h3', {}, 'end'), make('div', { class: 'words' }, ended)));
  place.classList.toggle('no-parts', remember('parts') === 'no');
  markTurn();
  place.scrollTop = 0;
  // On a phone the sentence does not stay in sight, so that the page begins with it.
  if (!window.matchMedia('(min-width: 761px)').matches) window.scrollTo(0, 0);
  else if (state.turn > 0) document.getElementById('turn-' + (state.turn + 1)).scrollIntoView({ block: 'start' });
}

// Filters the list to the episodes that share this task, or this seed, with the one in sight.
function sameButton(name, at) {
  const word = name === 'task' ? 'task' : 'seed';
  const value = FILTERS[name].of(at);
  return make('button', { type: 'button', class: 'link', title: `show only the episodes of this ${word} in the list`, onclick: () => {
    state.filters = { [name]: value };
    refilter();
    say(`The list holds the ${times(order.length, 'episode')} of ${word} ${value}.`);
  } }, `${word} ${value}`);
}

function groupLine(at) {
  const group = groups[index.group[at]];
  if (group.members.length < 2) return [];
  const buttons = group.members.map((each) => make('button', { type: 'button', class: 'member', 'aria-current': each === at ? 'true' : null, onclick: () => go('episode', each, Math.min(state.turn, index.turns[each] - 1)),
    title: `${meta.runs[index.run[each]].title}, return ${plain(index.total[each])}` }, make('span', { class: 'glyph ' + statusOf(each) }, GLYPHS[statusOf(each)]), ' ', plain(index.total[each])));
  return [make('nav', { class: 'members', 'aria-label': 'members of the group' }, make('span', {}, group.compared ? 'group' : 'same task'), buttons,
    make('button', { type: 'button', class: 'link', onclick: () => go('group') }, 'side by side'))];
}

function markTurn() {
  strips(state.at);
  for (const part of document.querySelectorAll('#turns .turn')) part.classList.toggle('here', part.id === 'turn-' + (state.turn + 1));
}

function toTurn(turn) {
  const last = index.turns[state.at] - 1;
  go('episode', state.at, Math.min(Math.max(turn, 0), last), { replace: true });
  const part = document.getElementById('turn-' + (state.turn + 1));
  if (part) { part.scrollIntoView({ block: 'nearest' }); part.focus({ preventScroll: true }); }
}
