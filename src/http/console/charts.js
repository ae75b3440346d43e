// Charts of the last hour, drawn as stacked areas from samples of counters.

/** The growth of each figure between samples, a second. A counter that fell began anew with its process. */
const growth = (samples, per = 1) => samples.slice(1).map((sample, at) => {
  const before = samples[at];
  const seconds = Math.max(0.5, (Date.parse(sample.at) - Date.parse(before.at)) / 1000);
  const grown = (name) => (sample[name] >= before[name] ? sample[name] - before[name] : sample[name]) / seconds * per;
  return { at: Date.parse(sample.at), grown };
});

/** One in so many samples, the newest with them. */
const each = (samples, many) => samples.filter((_, at) => (samples.length - 1 - at) % many === 0);

/** A bound above `value` that reads well. */
const roundUp = (value) => {
  const scale = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * scale).find((bound) => bound >= value) || 1;
};

/** A chart of `series` (`{ word, hue, of }`) over `points`, with `unit` for what is read out. */
const chart = (points, series, unit, width) => {
  const [height, left, foot] = [160, 42, 20];
  const end = Date.now(), start = end - 3600e3;
  const x = (at) => left + (at - start) / 3600e3 * (width - left);
  const values = points.map((point) => series.map(({ of }) => of(point.grown)));
  const totals = values.map((list) => list.reduce((sum, value) => sum + value, 0));
  const most = roundUp(Math.max(1, ...totals));
  const y = (value) => (height - foot) * (1 - value / most) + 4;
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    parts.push(svg('line', { class: 'grid', x1: left, x2: width, y1: y(most * share), y2: y(most * share) }));
    parts.push(svg('text', { x: left - 6, y: y(most * share) + 4, 'text-anchor': 'end' }, number(Number((most * share).toFixed(2)))));
  }
  for (const minutes of [60, 45, 30, 15, 0]) {
    const anchor = minutes === 60 ? 'start' : minutes === 0 ? 'end' : 'middle';
    parts.push(svg('text', { x: x(end - minutes * 60e3), y: height, 'text-anchor': anchor }, minutes ? `-${minutes}m` : 'now'));
  }
  series.forEach(({ hue }, nth) => {
    if (points.length < 2) return;
    const edge = (upTo) => points.map((point, at) => [x(point.at), y(values[at].slice(0, upTo).reduce((sum, value) => sum + value, 0))]);
    const line = [...edge(nth + 1), ...edge(nth).reverse()].map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join('L');
    const area = svg('path', { d: `M${line}Z`, class: `series-${hue}` });
    area.style.fill = 'var(--hue)';
    area.style.opacity = '.82';
    parts.push(area);
  });
  const at = svg('line', { class: 'at', y1: 4, y2: height - foot + 4, visibility: 'hidden' });
  const last = values.at(-1) || series.map(() => 0);
  const said = series.map(({ word }, nth) => `${word} ${rate(last[nth])}`).join(', ');
  const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Last hour, ${unit}. Now: ${said}. Highest: ${rate(Math.max(0, ...totals))}.` }, ...parts, at);
  const shown = series.map(() => h('b'));
  const time = h('li', { 'aria-hidden': 'true' }, '');
  const show = (nth) => {
    series.forEach((_, which) => { shown[which].textContent = rate(nth === null ? last[which] : values[nth][which]); });
    time.textContent = nth === null ? unit : `${unit}, ${clock(points[nth].at)}`;
    at.setAttribute('visibility', nth === null ? 'hidden' : 'visible');
    if (nth !== null) for (const side of ['x1', 'x2']) at.setAttribute(side, x(points[nth].at));
  };
  const place = h('div.chart', {
    onpointermove: (event) => {
      const box = picture.getBoundingClientRect();
      const when = start + ((event.clientX - box.left) / box.width * width - left) / (width - left) * 3600e3;
      if (!points.length) return;
      show(points.reduce((best, point, nth) => Math.abs(point.at - when) < Math.abs(points[best].at - when) ? nth : best, 0));
    },
    onpointerleave: () => show(null),
  }, picture, h('ul.legend', null, series.map(({ word, hue }, nth) => h(`li.series-${hue}`, null, h('span.dot'), word, shown[nth])), time));
  show(null);
  return place;
};
