// The list of services, a page at a time: there may be hundreds of thousands.

const PAGE = 50;

/** The numbers of a service by status, as a bar. */
const countsBar = (counts) => {
  const words = ['healthy', 'starting', 'unhealthy', 'lapsed', 'draining', 'maintenance'].filter((word) => counts[word] > 0);
  const said = words.map((word) => `${counts[word]} ${word}`).join(', ') || 'no instances';
  return h('div', null, h('div.bar', { role: 'img', 'aria-label': said, title: said },
    words.map((word) => sized(h(`span.hue-${word}`), counts[word] / counts.total))));
};

const services = {
  title: 'Services',
  watched: null,
  start(main, query) {
    this.prefix = query.get('prefix') || '';
    this.status = query.get('status') || '';
    this.pages = [''];
    const search = h('input.search', {
      id: 'search', type: 'search', placeholder: 'Services that begin with …', 'aria-label': 'Services that begin with', autocomplete: 'off', spellcheck: 'false', value: this.prefix,
      oninput: (event) => { this.prefix = event.target.value.trim(); this.pages = ['']; this.load(); },
    });
    const choice = h('select.search', { 'aria-label': 'With instances that are', onchange: (event) => { this.status = event.target.value; this.pages = ['']; this.load(); } },
      h('option', { value: '' }, 'in any state'),
      ['healthy', 'starting', 'unhealthy', 'lapsed', 'draining', 'maintenance'].map((word) => h('option', { value: word, selected: word === this.status }, word)));
    this.list = h('div');
    this.foot = h('div.foot');
    main.replaceChildren(h('div.title', null, h('h1', { tabindex: '-1' }, 'Services')),
      h('section.card', { 'aria-label': 'Services' }, h('div.tools', null, search, choice), this.list, this.foot));
    this.load = gently(() => this.read(), 700);
    this.load();
  },
  stop() {},
  on: {
    changed() { this.load(); },
    back() { this.load(); },
  },
  async read() {
    const query = new URLSearchParams({ limit: PAGE, prefix: this.prefix.toLowerCase(), after: this.pages.at(-1) });
    if (this.status) query.set('status', this.status);
    try {
      this.told = await call(`/v1/services?${query}`);
    } catch (error) {
      if (!error.isAway) put(this.list, h('p.fault', null, error.message));
      return;
    }
    this.draw();
  },
  draw() {
    const { services: list, next } = this.told;
    const row = ({ service, health, instances, tags, revision }) => h('tr', null,
      h('td.name', null, h('a', { href: paths.service(service), key: `service-${service}`, 'data-row': true }, service)),
      h('td', null, pill(health)),
      h('td', { 'data-label': 'healthy' }, h('span.num', null, `${number(instances.healthy)} of ${number(instances.total)}`)),
      h('td', null, countsBar(instances)),
      h('td', null, tags.length ? tagList(tags) : ''),
      h('td.number', { 'data-label': 'revision' }, number(revision)));
    const head = ['Service', 'Health', 'Healthy', 'Instances', 'Tags'].map((word) => h('th', { scope: 'col' }, word));
    put(this.list, list.length === 0
      ? h('p.empty', null, this.prefix || this.status ? 'No service is like that.' : 'No services yet. Register one: PUT /v1/services/web/instances/a')
      : h('table.rows.folds', null, h('thead', null, h('tr', null, head, h('th.number', { scope: 'col' }, 'Revision'))), h('tbody', null, list.map(row))));
    const move = (word, key, can, go) => h('button.button', { type: 'button', key, disabled: !can, onclick: () => { go(); this.read(); } }, word);
    const nth = this.pages.length;
    put(this.foot, h('span', { role: 'status' }, `${plural(list.length, 'service')}${nth > 1 ? `, page ${nth}` : ''}${next || nth > 1 ? ` of ${number(server.status?.services ?? 0)} in all` : ''}`),
      h('span.right', null,
        move('Previous', 'previous', nth > 1, () => this.pages.pop()),
        move('Next', 'next', Boolean(next), () => this.pages.push(next))));
  },
};
