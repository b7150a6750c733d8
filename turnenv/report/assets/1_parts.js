// Elements, texts and numbers: nothing here knows what is shown. Text becomes a text node, never markup.
const find = (selector, root = document) => root.querySelector(selector);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

const MINUS = '\u2212';
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g;

// Characters that cannot be seen, or that reorder a line, are shown by their number.
function visible(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(unseen)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    const number = match[0].codePointAt(0);
    const shown = number < 256 ? '\\x' + number.toString(16).padStart(2, '0') : '\\u' + number.toString(16).padStart(4, '0');
    parts.push(make('span', { class: 'unseen', title: 'a character that cannot be seen' }, shown));
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

const LONG = 4000;

// A text as it was written; of a long one the beginning, and a button for the rest.
function textBlock(kind, text, label, longest = LONG) {
  const block = make('div', { class: 'text ' + kind, dir: 'ltr' });
  if (label) block.append(make('span', { class: 'who' }, label));
  const body = make('div', { class: 'said' });
  block.append(body);
  if (text.length <= longest) {
    body.append(...(text ? visible(text) : [make('span', { class: 'quiet' }, '(nothing)')]));
    return block;
  }
  body.append(...visible(text.slice(0, longest)));
  const more = make('button', { class: 'more', type: 'button' }, 'show all ' + text.length.toLocaleString('en') + ' characters');
  more.addEventListener('click', () => { body.replaceChildren(...visible(text)); more.remove(); });
  block.append(more);
  return block;
}

function signed(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const shown = Math.abs(value).toFixed(digits);
  if (Number(shown) === 0) return '0';
  return (value < 0 ? MINUS : '+') + shown;
}

function plain(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const shown = Number(value.toFixed(digits));
  return String(shown === 0 ? 0 : shown).replace('-', MINUS);
}

const fixed = (value) => (value === null ? '–' : value.toFixed(2).replace('-', MINUS));

const arrow = (value) => (value === null || value === undefined || Math.abs(value) < 0.005 ? '' : value > 0 ? '▲' : '▼');

// Seven steps, symmetric about 0, in units of the column's root mean square.
function tint(value, scale) {
  if (value === null || value === undefined || !scale) return 'none';
  const size = Math.abs(value) / scale;
  const step = size < 0.25 ? 0 : size < 0.75 ? 1 : size < 1.5 ? 2 : 3;
  return step === 0 ? '0' : (value < 0 ? 'n' : 'p') + step;
}

const times = (count, word) => count + ' ' + word + (count === 1 ? '' : 's');

async function unpack(id) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

const memory = {};

// Choices that outlast the page where the browser allows it.
function remember(name, value) {
  if (value !== undefined) memory[name] = value;
  try {
    if (value !== undefined) localStorage.setItem('turnenv-' + name, value);
    return localStorage.getItem('turnenv-' + name);
  } catch { return memory[name] ?? null; }
}
