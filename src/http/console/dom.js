// Making and changing what is on the page. Text only ever becomes text: nothing here reads markup.

const $ = (id) => document.getElementById(id);

/** An element: `h('a.name', { href }, 'text', element)`. Properties that begin with `on` are listeners. */
const h = (what, properties, ...children) => {
  const [tag, ...classes] = what.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'key') element.dataset.key = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
};

const svg = (tag, attributes, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

/** Puts other content into a place. Who was focused there, known by its key, still is. */
const put = (place, ...children) => {
  const focused = place.contains(document.activeElement) && document.activeElement.dataset.key;
  place.replaceChildren(...children.flat().filter(Boolean));
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
};

const sized = (element, share) => {
  element.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element;
};

const pill = (word) => h(`span.pill.hue-${word}`, null, word);
const meter = (share, hue) => h('span.meter', { 'aria-hidden': 'true' }, sized(h(`span${hue ? `.hue-${hue}` : ''}`), share));
const tagList = (tags, most = 6) => h('span.tags', null, tags.slice(0, most).map((tag) => h('span.tag', { title: tag }, tag)),
  tags.length > most && h('span.tag', null, `+${tags.length - most}`));
const card = (title, aside, ...body) => h('section.card', { 'aria-label': title },
  h('header', null, h('h2', null, title), aside && h('span.aside', null, aside)), ...body);
const facts = (pairs) => h('dl.facts', null, pairs.filter(([, value]) => value !== undefined && value !== null && value !== '')
  .flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)]));

// Words and numbers.

const thousands = new Intl.NumberFormat('en');
const number = (value) => thousands.format(value);
const rate = (value) => value >= 100 ? number(Math.round(value)) : value >= 10 ? value.toFixed(1) : value >= 0.005 ? value.toFixed(2) : '0';
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const clock = (time) => new Date(time).toLocaleTimeString('en-GB');
const moment = (time) => time && h('time', { datetime: time, title: time }, new Date(time).toLocaleString('en-GB'));

const span = (seconds) => {
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h ${Math.floor(seconds / 60 % 60)}m`;
  return `${Math.floor(seconds / 86400)}d ${Math.floor(seconds / 3600 % 24)}h`;
};

const paths = {
  service: (service) => `#/services/${encodeURIComponent(service)}`,
  instance: (service, id) => `#/services/${encodeURIComponent(service)}/${encodeURIComponent(id)}`,
  explain: (name, type) => `#/explain?${new URLSearchParams({ name, type })}`,
};

let toastEnds;
const toast = (text, bad) => {
  $('toast').textContent = text;
  $('toast').classList.toggle('bad', Boolean(bad));
  $('toast').hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { $('toast').hidden = true; }, 6000);
};

/** Asks before something is done. Gives what was written into `field`, `true`, or `null` when it was given up. */
const ask = ({ title, text, action, field }) => new Promise((done) => {
  const dialog = $('dialog');
  const input = field && h('input', { id: 'dialog-field', maxlength: '1024', autocomplete: 'off' });
  let answer = null;
  const agree = () => { answer = input ? input.value : true; dialog.close(); };
  dialog.onclose = () => done(answer);
  dialog.replaceChildren(h('h2', { id: 'dialog-title' }, title), h('p.soft', null, text),
    ...(input ? [h('label.field', { for: 'dialog-field' }, field, input)] : []),
    h('div.buttons', null,
      h('button.button', { type: 'button', id: 'dialog-no', onclick: () => dialog.close() }, 'Cancel'),
      h('button.button.main', { type: 'button', id: 'dialog-yes', onclick: agree }, action)));
  if (input) input.addEventListener('keydown', (event) => { if (event.key === 'Enter') agree(); });
  dialog.showModal();
  (input || $('dialog-yes')).focus();
});
