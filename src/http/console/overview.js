// The first view: how things are, what went on in the last hour, what needs somebody, and what happens.

const WORDS = { registered: 'registered', updated: 'registered anew', deregistered: 'deregistered', reaped: 'removed, it was gone' };

const SHOWN_CHANGES = 14;

/** Whether more than a weight has changed, which load and slow starts do all the time. */
const isNews = (change) => change.change !== 'status' || change.instance?.status !== change.previous_status;

/** A change in words. */
const changeText = (change) => {
  const status = change.instance?.status;
  if (change.change !== 'status') return WORDS[change.change] || change.change;
  if (status === change.previous_status) return `weighs ${change.instance.effective_weight}`;
  return change.instance?.reason || ({ starting: 'has started' }[status === 'healthy' && change.previous_status] || (status === 'healthy' ? `healthy again, after ${change.previous_status}` : status));
};

/** A list of changes, newest first. */
const feed = (changes, { withName = true, fresh = 0 } = {}) => changes.length === 0
  ? h('p.empty', null, 'No changes yet.')
  : h('ol.feed', null, changes.map((change) => h('li', { ...(change.revision > fresh && fresh > 0 && { class: 'fresh' }) },
    h('time', { datetime: change.at, title: change.at }, clock(change.at)),
    h('span.what', null, withName && h('a', { href: paths.instance(change.service, change.id), key: `feed-${change.revision}` }, h('strong', null, `${change.service}/${change.id}`)),
      withName && ' ', h('span.soft', null, changeText(change))),
    change.instance ? pill(change.instance.status) : h('span.pill', null, 'gone'))));

const QUERIES = [
  { word: 'answered', hue: 'ok', of: (grown) => Math.max(0, grown('queries') - grown('nxdomain') - grown('failed') - grown('refused')) },
  { word: 'NXDOMAIN', hue: 'none', of: (grown) => grown('nxdomain') },
  { word: 'SERVFAIL', hue: 'bad', of: (grown) => grown('failed') },
  { word: 'other', hue: 'other', of: (grown) => grown('refused') },
];
const REGISTRY = [
  { word: 'registered', hue: 'new', of: (grown) => grown('registrations') },
  { word: 'removed', hue: 'gone', of: (grown) => grown('removals') },
  { word: 'lapsed', hue: 'lapsed', of: (grown) => grown('lapses') },
];

const tile = (word, hue, value, unit) => h('div', { class: 'tile' },
  h('dt', null, hue && h(`span.dot.hue-${hue}`), word), h('dd', null, value, unit && h('span.unit', null, unit)));

/** Who of a service is `status`, and why; at most so many services. */
const outOf = async (status) => {
  const { services, next } = await call(`/v1/services?status=${status}&limit=8`);
  const read = services.map(async ({ service }) => {
    const told = await call(`/v1/services/${encodeURIComponent(service)}?status=${status}`).catch(() => ({ instances: [] }));
    return told.instances.slice(0, 8).map((instance) => ({ ...instance, more: told.instances.length - 8 }));
  });
  return { found: (await Promise.all(read)).flat(), isMore: Boolean(next) };
};

const note = (status, title, href, why) => h('li', null, pill(status), h('a', { href, key: `note-${title}` }, h('strong', null, title)), h('span.why', null, why));

const overview = {
  title: 'Overview',
  watched: null,
  changes: [],
  fresh: 0,
  start(main) {
    this.places = Object.fromEntries(['tiles', 'queries', 'registry', 'attention', 'events'].map((name) => [name, h('div.body')]));
    const { tiles, queries, registry, attention, events } = this.places;
    tiles.className = '';
    main.replaceChildren(
      h('div.title', null, h('h1', { tabindex: '-1' }, 'Overview'), this.version = h('span.soft.small')),
      tiles,
      h('div.two', null, card('DNS queries', 'a second, last hour', queries), card('Registrations', 'a minute, last hour', registry)),
      h('div.wide-narrow', null, card('Latest changes', h('span', null, 'newest first'), events), card('What is held or out', null, attention)));
    this.samples = gently(() => this.drawCharts(), 3000);
    this.look = gently(() => this.drawAttention(), 2500);
    this.turn = setInterval(() => this.samples(), 10000);
    this.changes = [];
    this.fresh = 0;
    this.again();
  },
  stop() { clearInterval(this.turn); },
  async again() {
    this.samples();
    if (server.status) this.look();
    this.drawTiles();
    const told = await call('/v1/events?limit=14').catch(() => null);
    if (told) this.changes = told.events.filter(isNews).slice(0, SHOWN_CHANGES);
    this.fresh = Math.max(0, ...this.changes.map(({ revision }) => revision));
    this.drawEvents();
  },
  on: {
    status() { this.drawTiles(); this.look(); },
    change(event) {
      if (!isNews(event.detail)) return;
      this.changes = [event.detail, ...this.changes].slice(0, SHOWN_CHANGES);
      this.drawEvents();
    },
    back() { this.again(); },
  },
  drawEvents() { put(this.places.events, feed(this.changes, { fresh: this.fresh })); },
  drawTiles() {
    const status = server.status;
    if (!status) return;
    const { instances } = status;
    this.version.textContent = `srvd ${status.version} · up ${span(status.uptime_s)} · revision ${number(status.revision)} · store ${status.store.kind}`;
    put(this.places.tiles, h('dl.tiles', null,
      tile('Services', null, number(status.services)),
      tile('Healthy', 'healthy', number(instances.healthy), ` of ${number(instances.total)}`),
      tile('Unhealthy', 'unhealthy', number(instances.unhealthy + instances.lapsed)),
      tile('Starting', 'starting', number(instances.starting)),
      tile('Withdrawn', 'draining', number(instances.draining + instances.maintenance)),
      this.queryTile = tile('Queries', null, this.rate ?? '–', '/s')));
  },
  async drawCharts() {
    const told = await call('/v1/history').catch(() => null);
    if (!told) return;
    const { samples } = told;
    // The newest sample is of this moment, and may be too close to the one before to make a rate of.
    const settled = samples.filter((sample, at) => at < samples.length - 1 || at === 0 || Date.parse(sample.at) - Date.parse(samples[at - 1].at) > 2000);
    const width = Math.max(280, Math.min(1100, this.places.queries.clientWidth - 34));
    put(this.places.queries, chart(growth(settled), QUERIES, 'a second', width));
    put(this.places.registry, chart(growth(each(settled, 6), 60), REGISTRY, 'a minute', width));
    const now = growth(settled).at(-1);
    this.rate = now ? rate(now.grown('queries')) : '0';
    this.drawTiles();
  },
  async drawAttention() {
    const status = server.status;
    if (!status) return;
    const list = [];
    for (const hold of status.protection.holds) {
      list.push(note('lapsed', hold.service || 'all services', hold.service ? paths.service(hold.service) : '#/services',
        `${plural(hold.held, 'lapse')} held: too many leases ran out at once. Until ${clock(hold.until)}.`));
    }
    for (const service of status.panicking.slice(0, 20)) {
      list.push(note('unhealthy', service, paths.service(service), 'In panic: so few are healthy that unhealthy ones are served too.'));
    }
    let isMore = false;
    for (const word of ['maintenance', 'draining', 'unhealthy', 'lapsed'].filter((word) => status.instances[word] > 0)) {
      const out = await outOf(word).catch(() => ({ found: [] }));
      isMore ||= out.isMore || out.found.some(({ more }) => more > 0);
      for (const { service, id, reason } of out.found.slice(0, 12)) list.push(note(word, `${service}/${id}`, paths.instance(service, id), reason || ''));
    }
    put(this.places.attention, list.length === 0 ? h('p.empty', null, 'Nothing. Every instance is served.') : h('ul.notes', null, list.slice(0, 40)),
      isMore && h('p.small.soft', null, 'There are more; ', h('a', { href: '#/services?status=unhealthy' }, h('u', null, 'see the services')), '.'));
  },
};
