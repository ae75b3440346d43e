// One service with its instances, and one instance with its checks and its past.

const SHOWN = 200;

const gone = (what, href, where) => [h('p.empty', null, `${what} is not registered (any more). `, h('a', { href }, h('u', null, where)))];
const crumbs = (...links) => h('nav.crumbs', { 'aria-label': 'Where this is' }, links.flatMap(([word, href], nth) => [nth > 0 && h('span', { 'aria-hidden': 'true' }, '/'), h('a', { href }, word)]));

/** The buttons for what can be done to an instance in its state. */
const buttons = (instance, ...more) => {
  const { service, id, status } = instance;
  const button = (name, isMain) => h(`button.button${isMain ? '.main' : ''}`, { type: 'button', key: `${name}-${service}-${id}`, id: `do-${name}`, onclick: () => act(name, service, id) }, actions[name].word);
  const isOut = status === 'draining' || status === 'maintenance';
  return [status !== 'draining' && status !== 'maintenance' && button('drain'), status !== 'maintenance' && button('maintenance'), isOut && button('resume', true), ...more.map((name) => button(name))];
};

const leaseText = (instance) => {
  if (instance.ttl === 'none') return 'permanent';
  if (!instance.expires_at) return 'ran out';
  const left = (Date.parse(instance.expires_at) - Date.now()) / 1000;
  return left <= 0 ? (instance.overdue ? 'overdue, held' : 'now') : span(left);
};

const service = {
  watched: null,
  start(main, query, name) {
    Object.assign(this, { main, name, title: name, watched: name, filter: '', told: null });
    this.load = gently(() => this.read(), 500);
    this.turn = setInterval(() => this.load(), 5000);
    this.load();
  },
  stop() { clearInterval(this.turn); },
  on: {
    changed() { this.load(); },
    back() { this.load(); },
  },
  async read() {
    const path = `/v1/services/${encodeURIComponent(this.name)}`;
    try {
      this.told = await call(path);
    } catch (error) {
      if (error.status === 404) put(this.main, gone(this.name, '#/services', 'See the services'));
      else if (!error.isAway) put(this.main, h('p.fault', null, error.message));
      this.frame = null;
      return;
    }
    this.draw();
  },
  draw() {
    const { settings, instances } = this.told;
    if (!this.frame || !this.main.contains(this.frame)) {
      this.head = h('div.title');
      this.about = h('div');
      this.list = h('div');
      const filter = h('input.search', { id: 'search', type: 'search', placeholder: 'Instances with this id, address, tag or state …', 'aria-label': 'Show only instances with', autocomplete: 'off', spellcheck: 'false', oninput: (event) => { this.filter = event.target.value.trim().toLowerCase(); this.draw(); } });
      this.frame = h('section.card', { 'aria-label': 'Instances' }, h('div.tools', null, filter), this.list);
      this.main.replaceChildren(crumbs(['Services', '#/services']), this.head, this.about, this.frame);
    }
    const healthy = instances.filter(({ status }) => status === 'healthy').length;
    const health = healthy === 0 ? 'down' : healthy === instances.length ? 'healthy' : 'degraded';
    const isPanicking = server.status?.panicking.includes(this.name);
    put(this.head, h('h1', { tabindex: '-1' }, this.name), pill(health), isPanicking && h('span.pill.hue-unhealthy', null, 'panic: unhealthy ones are served'),
      h('span.soft', null, `${number(healthy)} of ${plural(instances.length, 'instance')} healthy`),
      h('span.actions', null, h('a.button', { href: paths.explain(`${this.name}.${server.zone}`, 'A'), key: 'explain' }, 'Explain in DNS')));
    const set = Object.entries(settings);
    put(this.about, set.length > 0 && card('Settings', null, h('div.body', null, facts(set.map(([name, value]) => [name.replaceAll('_', ' '), typeof value === 'object' ? JSON.stringify(value) : String(value)])))));
    const wanted = ({ id, address, addresses, tags, status }) => [id, address, ...(addresses || []), ...tags, status].some((text) => text && text.toLowerCase().includes(this.filter));
    const found = instances.filter(wanted);
    const most = Math.max(1, ...instances.map(({ weight, effective_weight: effective }) => Math.max(weight, effective)));
    const row = (instance) => h('tr', null,
      h('td.name', null, h('a', { href: paths.instance(this.name, instance.id), key: `instance-${instance.id}`, 'data-row': true }, instance.id)),
      h('td', null, pill(instance.status)),
      h('td.mono', null, instance.endpoint),
      h('td', { 'data-label': 'weight' }, meter(instance.effective_weight / most), ' ', h('span.num', null, instance.effective_weight === instance.weight ? `${instance.weight}` : `${instance.effective_weight} of ${instance.weight}`)),
      h('td.num', { 'data-label': 'lease' }, leaseText(instance)),
      h('td.soft.small', null, instance.reason || (instance.tags.length ? tagList(instance.tags, 4) : '')));
    const head = ['Instance', 'Status', 'Address', 'Weight', 'Lease', 'Why, or tags'].map((word) => h('th', { scope: 'col' }, word));
    put(this.list, found.length === 0 ? h('p.empty', null, instances.length ? 'No instance is like that.' : 'No instances; only settings are kept.')
      : h('table.rows.folds', null, h('thead', null, h('tr', null, head)), h('tbody', null, found.slice(0, SHOWN).map(row))),
      found.length > SHOWN && h('p.foot', null, `The first ${SHOWN} of ${number(found.length)}; narrow them down above.`));
  },
};

const checkLine = (check) => {
  const target = { http: () => `${check.method} ${check.scheme}://…${check.path}`, tcp: () => 'a connection', grpc: () => `service ${check.service || '(all)'}` }[check.kind]();
  const last = check.last_result;
  return h('div.check', null,
    h('div.line', null, pill(check.verdict), h('strong', null, check.kind), h('span.mono.soft', null, target, check.port ? ` on port ${check.port}` : '')),
    h('div.small.soft', null, `every ${check.interval}, ${check.timeout} at most; ${check.fall} failures take it out, ${check.rise} passes bring it back`),
    last && h('div.small', null, h('span.num', null, clock(last.at)), ` ${last.passing ? 'passed' : 'failed'} in ${last.took_ms} ms: ${last.detail}`));
};

const instance = {
  start(main, query, name, id) {
    Object.assign(this, { main, name, id, title: `${name}/${id}`, watched: name });
    this.load = gently(() => this.read(), 500);
    this.turn = setInterval(() => this.load(), 3000);
    this.load();
  },
  stop() { clearInterval(this.turn); },
  on: {
    changed() { this.load(); },
    back() { this.load(); },
  },
  async read() {
    const path = `/v1/services/${encodeURIComponent(this.name)}/instances/${encodeURIComponent(this.id)}`;
    const query = new URLSearchParams({ service: this.name, id: this.id, limit: 40 });
    try {
      const past = call(`/v1/events?${query}`);
      past.catch(() => {});
      this.draw(await call(path).catch((error) => { if (error.status === 404) return null; throw error; }), (await past).events.filter(isNews).slice(0, 40));
    } catch (error) {
      if (!error.isAway) put(this.main, h('p.fault', null, error.message));
    }
  },
  draw(told, past) {
    const where = crumbs(['Services', '#/services'], [this.name, paths.service(this.name)]);
    const history = card('History', past.length ? 'newest first' : null, h('div.body', null, feed(past, { withName: false })));
    if (!told) {
      put(this.main, where, h('div.title', null, h('h1', { tabindex: '-1' }, `${this.name}/${this.id}`)), gone(`${this.name}/${this.id}`, paths.service(this.name), 'See the service'), history);
      return;
    }
    const load = told.load && Object.entries(told.load).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).join(', ');
    const metadata = Object.entries(told.metadata);
    put(this.main, where,
      h('div.title', null, h('h1', { tabindex: '-1' }, told.id), pill(told.status), told.overdue && h('span.pill.hue-lapsed', null, 'overdue, held'), h('span.actions', null, buttons(told, ...(told.checks.length ? ['check'] : [])))),
      told.reason && h('p', { role: 'status' }, told.reason),
      h('div.wide-narrow', null,
        h('div.stack', null,
          card('Checks', told.checks.length ? 'all must pass' : null, h('div.body', null, told.checks.length ? told.checks.map(checkLine) : h('p.soft', null, 'None: it lives by its heartbeats alone.'))),
          history),
        h('div.stack', null,
          card('Registration', null, h('div.body', null, facts([
            ['Address', h('span.mono', null, told.addresses ? told.addresses.join(', ') : told.address)], ['Port', String(told.port)],
            ['Named ports', Object.entries(told.ports).map(([name, port]) => `${name} ${port}`).join(', ')],
            ['URL', h('span.mono', null, told.url)], ['Protocol', told.protocol], ['Version', told.version],
            ['Weight', h('span', null, meter(told.weight ? told.effective_weight / told.weight : 0), ` ${told.effective_weight} of ${told.weight}`)],
            ['Priority', String(told.priority)], ['Tags', told.tags.length ? tagList(told.tags, 64) : null],
            ['Lease', told.ttl === 'none' ? 'permanent' : `${told.ttl}; ${leaseText(told)} left`],
            ['Last heartbeat', moment(told.last_heartbeat)], ['It says', told.message], ['Load', load],
            ['Slow start', told.slow_start], ['Removed after', told.deregister_after],
            ['Registered', moment(told.created_at)], ['Changed', moment(told.changed_at)], ['Revision', number(told.revision)],
          ]))),
          metadata.length > 0 && card('Metadata', null, h('div.body', null, facts(metadata.map(([key, value]) => [h('span.mono', null, key), h('span.mono', null, typeof value === 'object' ? JSON.stringify(value) : String(value))])))))));
  },
};
