// Speaking with the server: calls, the stream of changes, and noticing that it is gone.

/** What views are told of. */
const bus = new EventTarget();
const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

const server = { status: null, isAway: false, seen: null, zone: 'svc.local' };

/** A call. Refusals and failures are errors with words for people. */
const call = async (path, { method = 'GET', body } = {}) => {
  const request = { method, headers: { accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(10000) };
  if (body) {
    request.headers['content-type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await fetch(path, request);
  } catch {
    throw Object.assign(new Error('the server does not answer'), { isAway: true });
  }
  if (reply.status === 204) return null;
  const told = await reply.json().catch(() => null);
  if (!reply.ok) throw Object.assign(new Error(told?.detail || `HTTP ${reply.status}`), { status: reply.status });
  return told;
};

const away = () => {
  if (!server.isAway) {
    server.isAway = true;
    document.body.classList.add('is-away');
    $('lost').hidden = false;
    $('lost').textContent = server.seen
      ? `The server does not answer. What is shown is what was known at ${clock(server.seen)}; trying again.`
      : 'The server does not answer; trying again.';
    $('live').className = 'live is-lost';
    $('live').textContent = 'lost';
    tell('away');
  }
};

const back = () => {
  server.seen = Date.now();
  if (server.isAway) {
    server.isAway = false;
    document.body.classList.remove('is-away');
    $('lost').hidden = true;
    stream.open();
    tell('back');
  }
};

/** The state of the server, which also shows whether it is there. */
const askStatus = async () => {
  try {
    server.status = await call('/v1/status');
    back();
    server.zone = server.status.zone.replace(/\.$/, '');
    $('zone').textContent = server.zone;
    tell('status');
  } catch (error) {
    if (error.isAway) away();
  }
};

// Changes are streamed while there are few, and looked up every two seconds while there are more than anybody reads.
const BUSY = 200;
const stream = {
  source: null, service: null, heard: 0, isBusy: false, newest: 0,
  open(service = this.service) {
    this.close();
    this.service = service;
    if (this.isBusy) return;
    const query = service ? `?service=${encodeURIComponent(service)}` : '';
    const source = this.source = new EventSource(`/v1/watch${query}`);
    source.onopen = () => { this.shows(); };
    source.onerror = () => { askStatus(); };
    const changed = (event) => {
      this.heard += 1;
      if (this.heard > BUSY) this.calm();
      else this.take(JSON.parse(event.data));
    };
    source.addEventListener('put', changed);
    source.addEventListener('remove', changed);
    // Something was missed. Everything there is would follow, and may be very much: views look again at what they show.
    source.addEventListener('reset', () => { this.open(); tell('changed'); });
  },
  close() {
    this.source?.close();
    this.source = null;
  },
  take(change) {
    if (change.revision <= this.newest) return;
    this.newest = change.revision;
    tell('change', change);
    tell('changed');
  },
  calm() {
    this.isBusy = true;
    this.close();
    this.shows();
    setTimeout(() => { this.isBusy = false; if (!server.isAway) this.open(); }, 20000);
  },
  async look() {
    if (!this.isBusy || server.isAway) return;
    const query = new URLSearchParams({ limit: '30', ...(this.service && { service: this.service }) });
    const told = await call(`/v1/events?${query}`).catch(() => null);
    told?.events.reverse().forEach((change) => this.take(change));
  },
  shows() {
    if (server.isAway) return;
    $('live').className = 'live is-live';
    $('live').textContent = this.isBusy ? 'live, every 2s' : 'live';
  },
};
setInterval(() => { stream.heard = 0; stream.shows(); }, 1000);
setInterval(() => stream.look(), 2000);
setInterval(() => { if (!document.hidden || server.isAway) askStatus(); }, 3000);
document.addEventListener('visibilitychange', () => { if (!document.hidden) askStatus(); });

/** Does `work` soon, and once for all who want it meanwhile; then not again for `pause` milliseconds. */
const gently = (work, pause = 400) => {
  let timer = null, wanted = false;
  const turn = async () => {
    wanted = false;
    await work();
    timer = setTimeout(() => { timer = null; if (wanted) run(); }, pause);
  };
  const run = () => {
    wanted = true;
    if (timer === null) timer = setTimeout(turn, 30);
  };
  return run;
};

/** What an operator does to an instance, after being asked. */
const actions = {
  drain: { word: 'Drain', ask: (name) => `Drain ${name}?`, method: 'PUT', path: 'drain', text: 'It leaves DNS at once and stays registered. The drain ends when it is resumed or deregistered.' },
  maintenance: { word: 'Maintenance', ask: (name) => `Put ${name} into maintenance?`, method: 'PUT', path: 'maintenance', field: 'Reason (optional)', text: 'Its name is kept out of DNS, whoever registers under it, until somebody resumes it.' },
  resume: { word: 'Resume', ask: (name) => `Resume ${name}?`, method: 'PUT', path: 'resume', text: 'Drain and maintenance end. It is in DNS again if it is healthy.' },
  check: { word: 'Run checks', method: 'POST', path: 'check' },
};

const act = async (name, service, id) => {
  const action = actions[name];
  const answer = !action.text || await ask({ title: action.ask(`${service}/${id}`), text: action.text, field: action.field, action: action.word });
  if (answer === null) return;
  const body = action.field && answer ? { reason: answer } : undefined;
  try {
    const told = await call(`/v1/services/${encodeURIComponent(service)}/instances/${encodeURIComponent(id)}/${action.path}`, { method: action.method, body });
    if (name === 'check') toast(told.results.length ? told.results.map((result) => `${result.kind}: ${result.detail}`).join('; ') : 'It has no checks.');
    else if (name === 'resume') toast(`${service}/${id} is resumed.`);
    else toast(told.safe ? `${service}/${id} is out; no cache holds it.` : `${service}/${id} is out. It is safe to stop at ${clock(told.safe_at)}.`);
    tell('changed');
  } catch (error) {
    toast(`Not done: ${error.message}`, true);
  }
};
