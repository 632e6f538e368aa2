// The overview: numbers since the start come every two seconds; rates are made of two of them.
"use strict";
(() => {
  const place = document.getElementById("chart");
  if (!window.uPlot) return;
  const KEPT = 90;
  const token = document.querySelector('meta[name="csrf"]').content;
  const plain = new Intl.NumberFormat("en-US");
  const rows = document.querySelectorAll("[data-sid]");

  const series = [[], [], []]; // time, requests per second, errors per second
  const rates = new Map(); // of services, by id: the last ones
  let last = null;

  const ink = (name) => {
    const probe = document.createElement("i");
    probe.className = `ink-${name}`;
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const size = () => ({ width: place.clientWidth, height: place.clientHeight });
  const make = () => {
    place.textContent = "";
    const grid = { stroke: ink("line"), width: 1 };
    const axis = { stroke: ink("soft"), grid, ticks: { show: false } };
    const utc = (_, times) => times.map((one) => new Date(one * 1000).toISOString().slice(11, 19));
    return new uPlot({
      ...size(), legend: { show: false }, cursor: { show: false },
      padding: [8, 30, 0, 0], // room for half of the last time
      scales: { x: { range: minute }, y: { range: (_, least, most) => [0, Math.max(1, most * 1.15)] } },
      axes: [{ ...axis, space: 90, values: utc }, { ...axis, size: 56 }],
      series: [
        {},
        { stroke: ink("accent"), width: 2, fill: ink("mark"), points: { show: false } },
        { stroke: ink("bad"), width: 2, points: { show: false } },
      ],
    }, series, place);
  };
  // A minute at least; before there are any numbers the one that just passed.
  const minute = (_, least, most) => {
    const end = most ?? Date.now() / 1000;
    return [Math.min(least ?? end, end - 60), end];
  };
  let chart = make();
  const again = () => { chart.destroy(); chart = make(); };
  new ResizeObserver(() => chart.setSize(size())).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

  const bytes = (count) => {
    if (count < 1024) return `${count} B`;
    let unit = -1;
    do { count /= 1024; unit += 1; } while (count >= 1024 && unit < 5);
    return `${count.toFixed(1)} ${"KMGTPE"[unit]}iB`;
  };

  const tell = (now) => {
    const [requests, refused, failed] = now.total;
    document.querySelector('[data-total="0"]').textContent = plain.format(requests);
    document.querySelector('[data-total="errors"]').textContent = plain.format(refused + failed);
    for (const row of rows) {
      const found = now.services[row.dataset.sid];
      if (!found) continue;
      for (const cell of row.querySelectorAll("[data-of]")) {
        const which = Number(cell.dataset.of);
        cell.textContent = which < 3 ? plain.format(found[which]) : bytes(found[which]);
      }
    }
  };

  const rate = (now) => {
    const seconds = now.time - last.time;
    const since = (which) => Math.max(0, now.total[which] - last.total[which]) / seconds;
    series[0].push(now.time);
    series[1].push(since(0));
    series[2].push(since(1) + since(2));
    for (const one of series) if (one.length > KEPT) one.shift();
    chart.setData(series);
    for (const row of rows) spark(row, now, seconds);
  };

  // A line in place of the bar, as soon as there is something to draw.
  const spark = (row, now, seconds) => {
    const sid = row.dataset.sid;
    const before = last.services[sid]?.[0] ?? 0;
    const kept = rates.get(sid) ?? [];
    kept.push(Math.max(0, (now.services[sid]?.[0] ?? 0) - before) / seconds);
    if (kept.length > KEPT) kept.shift();
    rates.set(sid, kept);
    const most = Math.max(...kept);
    if (kept.length < 2 || !most) return;
    const points = kept.map((one, at) =>
      `${(at * 100 / (kept.length - 1)).toFixed(1)},${(18 - 16 * one / most).toFixed(1)}`);
    const picture = row.querySelector("svg");
    let line = picture.querySelector("polyline");
    if (!line) {
      line = document.createElementNS(picture.namespaceURI, "polyline");
      picture.replaceChildren(line);
    }
    line.setAttribute("points", points.join(" "));
  };

  place.addEventListener("live", async () => {
    const answer = await fetch(place.dataset.numbers, { headers: { "X-CSRF-Token": token } });
    if (answer.status === 401 || answer.redirected) { location.reload(); return; }
    if (!answer.ok) return;
    const now = await answer.json();
    if (last && now.time <= last.time) return;
    tell(now);
    if (last) rate(now);
    last = now;
  });
})();
