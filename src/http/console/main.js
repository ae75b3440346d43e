// Which view is shown, and the keyboard.

let view = null;
const listeners = [];

const route = () => {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const params = new URLSearchParams(query);
  if (parts[0] === 'services' && parts.length === 1) return ['services', services, params];
  if (parts[0] === 'services' && parts.length === 2) return ['services', service, params, parts[1]];
  if (parts[0] === 'services' && parts.length === 3) return ['services', instance, params, parts[1], parts[2]];
  if (parts[0] === 'explain') return ['explain', explain, params];
  return ['overview', overview, params];
};

const show = (isFirst) => {
  view?.stop();
  listeners.splice(0).forEach(([name, listener]) => bus.removeEventListener(name, listener));
  const [tab, next, ...given] = route();
  view = next;
  for (const link of document.querySelectorAll('[data-tab]')) {
    if (link.dataset.tab === tab) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  $('main').replaceChildren();
  view.start($('main'), ...given);
  for (const [name, react] of Object.entries(view.on)) {
    const listener = react.bind(view);
    listeners.push([name, listener]);
    bus.addEventListener(name, listener);
  }
  document.title = `${view.title} · srvd`;
  if (stream.service !== view.watched || (!stream.source && !stream.isBusy)) stream.open(view.watched || null);
  if (!isFirst) {
    scrollTo(0, 0);
    $('main').focus({ preventScroll: true });
  }
};

const KEYS = [
  ['1', 'Overview'], ['2', 'Services'], ['3', 'Explain'], ['/', 'Search'], ['j k', 'Next and previous row'], ['Enter', 'Open the row'],
  ['d', 'Drain the instance'], ['m', 'Maintenance'], ['r', 'Resume'], ['c', 'Run its checks'], ['Esc', 'Back'], ['?', 'This'],
];

const showKeys = () => {
  const dialog = $('dialog');
  dialog.onclose = null;
  dialog.replaceChildren(h('h2', { id: 'dialog-title' }, 'Keyboard'),
    facts(KEYS.map(([keys, does]) => [h('span', null, keys.split(' ').flatMap((key) => [h('kbd', null, key), ' '])), does])),
    h('div.buttons', null, h('button.button.main', { type: 'button', onclick: () => dialog.close() }, 'Close')));
  dialog.showModal();
};

/** Moves between the rows of a list. */
const step = (by) => {
  const rows = [...document.querySelectorAll('[data-row]')];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at === -1 ? 0 : at + by))].focus();
};

/** One level up from where we are. */
const up = () => {
  const [path] = location.hash.split('?');
  const parts = path.split('/').filter(Boolean);
  location.hash = parts.length > 2 ? parts.slice(0, -1).join('/') : '#/';
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('dialog').open) return;
  if (event.target.matches('input, select, textarea')) {
    if (event.key === 'Escape') { event.target.blur(); $('main').focus(); }
    return;
  }
  const does = {
    1: () => { location.hash = '#/'; }, 2: () => { location.hash = '#/services'; }, 3: () => { location.hash = '#/explain'; },
    '/': () => { if ($('search')) $('search').focus(); else location.hash = '#/services'; },
    j: () => step(1), k: () => step(-1), '?': showKeys, Escape: up,
    d: () => $('do-drain')?.click(), m: () => $('do-maintenance')?.click(), r: () => $('do-resume')?.click(), c: () => $('do-check')?.click(),
  }[event.key];
  if (does) { event.preventDefault(); does(); }
});

$('help').addEventListener('click', showKeys);
addEventListener('hashchange', () => show(false));
show(true);
askStatus();
