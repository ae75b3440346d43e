// How DNS answers a question, and why each instance is in the answer or is not.

const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'PTR', 'SOA', 'NS', 'ANY', 'CNAME', 'MX', 'SVCB', 'HTTPS'];

const explain = {
  title: 'Explain',
  watched: null,
  start(main, query) {
    const field = (id, word, attributes, ...more) => h('label.field', { for: id }, word, h('input', { id, name: id, autocomplete: 'off', spellcheck: 'false', ...attributes }), ...more);
    const form = h('form.form', { onsubmit: (event) => { event.preventDefault(); this.go(form); } },
      field('name', 'Name', { required: true, placeholder: `web.${server.zone}`, value: query.get('name') || '' }),
      field('type', 'Type', { list: 'types', value: query.get('type') || 'A' }, h('datalist', { id: 'types' }, TYPES.map((type) => h('option', { value: type })))),
      field('client', 'Client (optional)', { placeholder: 'IP address', value: query.get('client') || '' }),
      h('button.button.main', { type: 'submit' }, 'Explain'));
    this.result = h('div.stack', { 'aria-live': 'polite' });
    main.replaceChildren(h('div.title', null, h('h1', { tabindex: '-1' }, 'Explain'), h('span.soft.small', null, 'How DNS answers, and why')), h('section.card', { 'aria-label': 'Question' }, form), this.result);
    if (query.get('name')) this.read(query);
  },
  stop() {},
  on: {},
  go(form) {
    const given = [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    const hash = `#/explain?${new URLSearchParams(given)}`;
    if (location.hash === hash) this.read(new URLSearchParams(given));
    else location.hash = hash;
  },
  async read(query) {
    try {
      this.draw(await call(`/v1/explain?${query}`));
    } catch (error) {
      put(this.result, h('section.card', null, h('p.fault', { role: 'alert' }, error.message)));
    }
  },
  draw(told) {
    const records = (title, lines) => lines.length > 0 && card(title, plural(lines.length, 'record'), h('div.body', null, h('pre', { tabindex: '0' }, lines.slice(0, 200).join('\n'))));
    const good = told.rcode === 'NOERROR' ? 'healthy' : told.rcode === 'NXDOMAIN' ? 'degraded' : 'unhealthy';
    const message = (word, { octets, limit, truncated, answers }) => h('tr', null, h('td', null, word), h('td.number', null, `${number(octets)} of ${number(limit)}`), h('td.number', null, number(answers)), h('td', null, truncated ? 'yes: asks again over TCP' : 'no'));
    const row = (entry) => h('tr', null,
      h('td.name', null, h('a', { href: paths.instance(entry.service, entry.id) }, `${entry.service}/${entry.id}`)),
      h('td', null, h(`span.pill.hue-${entry.in ? 'in' : 'out'}`, null, entry.in ? 'in' : 'out')),
      h('td', null, entry.why),
      h('td', { 'data-label': 'share' }, entry.share === undefined ? '' : [meter(entry.share), ` ${(entry.share * 100).toFixed(1)} %`]));
    const head = (...words) => h('thead', null, h('tr', null, words.map((word) => h(`th${['Octets', 'Answers'].includes(word) ? '.number' : ''}`, { scope: 'col' }, word))));
    put(this.result,
      h('section.card', { 'aria-label': 'Answer' }, h('header', null, h(`span.pill.hue-${good}`, { id: 'rcode' }, told.rcode), h('h2', null, `${told.name} ${told.type}`), h('span.aside', null, `to ${told.client}`)),
        h('div.body', null, h('p', null, told.why), told.zone && h('p.soft.small', null, `Zone ${told.zone.apex} (${told.zone.kind}${told.zone.file ? `, ${told.zone.file}` : ''})`), told.notes.map((text) => h('p.small', null, text)))),
      records('Answer', told.records), records('Authority', told.authority), records('Additional', told.additional),
      told.instances.length > 0 && card('Instances', plural(told.instances.filter((entry) => entry.in).length, 'is in', 'are in'), h('table.rows.folds', null, head('Instance', 'In?', 'Why', 'First places'), h('tbody', null, told.instances.slice(0, 300).map(row)))),
      card('On the wire', null, h('div.scroll', null, h('table.rows', null, head('Over', 'Octets', 'Answers', 'Cut'), h('tbody', null, message('UDP', told.messages.udp), message('UDP with EDNS', told.messages.edns), message('TCP', told.messages.tcp))))));
  },
};
