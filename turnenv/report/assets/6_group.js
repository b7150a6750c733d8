// The members of a group next to each other, aligned by turn.
const BRIEF = 400;

async function drawGroup() {
  const place = find('#episode');
  if (state.at < 0) { drawEpisode(); return; }
  drawnEpisode = '';
  const group = groups[index.group[state.at]];
  const members = [...group.members];
  if (remember('members') === 'return') members.sort((x, y) => index.total[y] - index.total[x] || x - y);
  const all = await Promise.all(members.map(details));
  if (state.view !== 'group') return;
  const longest = Math.max(...members.map((at) => index.turns[at]));
  const sorted = remember('members') === 'return';
  const head = make('tr', {}, make('th', { scope: 'col' }, 'turn'), members.map((at) => make('th', { scope: 'col', class: at === state.at ? 'here' : null },
    make('button', { type: 'button', class: 'link', onclick: () => go('episode', at, 0) }, make('span', { class: 'glyph ' + statusOf(at) }, GLYPHS[statusOf(at)]), ' ',
      index.member[at] >= 0 ? 'member ' + (index.member[at] + 1) : visible(meta.runs[index.run[at]].title)), make('small', {}, 'return ' + plain(index.total[at])))));
  const lines = [];
  for (let turn = 0; turn < longest; turn += 1) lines.push(groupTurn(turn, members, all));
  lines.push(make('tr', {}, make('th', { scope: 'row' }, 'end'), members.map((at) => make('td', {}, index.end[at], ', outcome ', make('b', {}, signed(index.outcome[at]))))));
  place.replaceChildren(
    make('header', { class: 'top' }, make('p', { class: 'facts' }, make('b', {}, group.compared ? 'Group' : 'Same task, other runs'), make('span', {}, ...visible(group.title))),
      make('p', { class: 'headline' }, shared(all)),
      make('p', {}, make('button', { type: 'button', onclick: () => go('episode') }, 'back to the episode'), ' ',
        make('button', { type: 'button', 'aria-pressed': String(sorted), onclick: () => { remember('members', sorted ? 'order' : 'return'); drawGroup(); } }, 'sort by return'))),
    make('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'members side by side' }, make('table', { class: 'group' }, make('thead', {}, head), make('tbody', {}, lines))));
}

// How long the members went through the same states.
function shared(all) {
  let turn = 0;
  const most = () => {
    const counts = new Map();
    for (const detail of all) if (turn < detail.keys.length) counts.set(detail.keys[turn], (counts.get(detail.keys[turn]) || 0) + 1);
    return Math.max(0, ...counts.values());
  };
  const first = most();
  if (first < 2) return 'The members began in different states.';
  let fewest = first;
  while (turn < 1000) { turn += 1; const now = most(); if (now < 2) break; fewest = now; }
  return turn === 1 ? `Turn 1: same state in ${first} of ${all.length} members.` : `Turns 1–${turn}: same state in ${fewest} or more of ${all.length} members.`;
}

function groupTurn(turn, members, all) {
  const taking = members.map((at, number) => [at, all[number]]).filter(([at]) => turn < index.turns[at]);
  const same = taking.length > 1 && taking.every(([, detail]) => detail.seen[turn] === taking[0][1].seen[turn]);
  const seen = same ? make('div', { class: 'shared' }, textBlock('seen', taking[0][1].seen[turn], 'all saw', BRIEF)) : null;
  const cells = members.map((at, number) => {
    if (turn >= index.turns[at]) return make('td', { class: 'over' }, '');
    const detail = all[number];
    const numbers = [['reward', rewards(at)[turn], meta.rewardRms]];
    for (const column of groups[index.group[at]].compared ? [...new Set([state.left, state.right])] : []) {
      const values = advantages(at, column);
      if (values) numbers.push([nameOf(column), values[turn], scaleOf(column)]);
    }
    return make('td', { class: at === state.at ? 'here' : null }, same ? null : textBlock('seen', detail.seen[turn], '', BRIEF), textBlock('said-by-agent', detail.said[turn], '', BRIEF),
      make('div', { class: 'scores' }, numbers.map(([title, value, scale]) => make('span', { class: 'number tint-' + tint(value, scale) }, make('small', {}, title), ' ', signed(value), arrow(value)))));
  });
  return make('tr', {}, make('th', { scope: 'row' }, String(turn + 1), seen), cells);
}
