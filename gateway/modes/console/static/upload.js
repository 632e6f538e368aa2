// Uploads of the Browser: three files at a time, large ones in parts. They can be paused and
// cancelled, try again when the network drops, and go on where they were after a reload of the
// page. Nothing is held in memory: a part is a slice of its file.
"use strict";
(() => {
  const box = document.querySelector("[data-upload]");
  const { upload: base, folder, token } = box.dataset;
  const WHOLE = Number(box.dataset.whole), AT_ONCE = 3, LONGEST_WAIT = 30000, STILL = 120000, KEPT = "uploads";
  const OVER = "Your session is over: load this page anew, sign in, and choose the file again.";
  const AGAIN = [0, 408, 429, 500, 502, 503, 504], LEFT = ["going", "waiting", "paused"];
  const here = new URL(base, location).pathname;
  const list = box.querySelector(".jobs"), status = box.querySelector("[role=status]");
  const row = box.querySelector("template").content.firstElementChild;
  const jobs = [];
  let done = 0;

  // What was begun is kept, so that it is found again when the page was left.
  const kept = () => { try { return JSON.parse(localStorage[KEPT]); } catch { return []; } };
  const keep = (all) => { try { localStorage[KEPT] = JSON.stringify(all); } catch { /* full */ } };
  const forget = (upload) => keep(kept().filter((one) => one.upload !== upload));
  const unfinished = () => kept().filter((one) => one.here === here && one.key.startsWith(folder)
    && !jobs.some((job) => job.upload === one.upload));

  // One request. It fails with {status, text}: 0 for no answer, -1 for one that was stopped.
  const ask = (job, name, more, body) => new Promise((ok, fail) => {
    const xhr = job.xhr = new XMLHttpRequest();
    const query = { ...more, ...job.upload && { upload: job.upload } };
    const stopped = () => fail({ status: -1 });
    const lost = async () => {
      const read = job.file && await job.file.slice(0, 1).arrayBuffer().catch(() => 0);
      fail(read === 0 ? { status: 400, text: "The file cannot be read any more." }
        : { status: 0, text: "The gateway does not answer." });
    };
    const watch = () => {
      clearTimeout(job.watch);
      job.watch = setTimeout(() => { xhr.onabort = lost; xhr.abort(); }, STILL);
    };
    xhr.open(name === "parts" ? "GET" : "POST",
      `${base}${name}?key=${job.key}&${new URLSearchParams(query)}`);
    xhr.setRequestHeader("X-CSRF-Token", token);
    xhr.upload.onprogress = (event) => { watch(); show(job, event.loaded); };
    xhr.onloadend = () => clearTimeout(job.watch);
    xhr.onabort = stopped;
    xhr.onerror = lost;
    xhr.onload = () => {
      let said;
      try { said = JSON.parse(xhr.responseText); } catch { said = null; }
      if (xhr.status === 200 && said) ok(said);
      else if ([200, 401, 403].includes(xhr.status) && !said) fail({ status: 401, text: OVER });
      else fail({ status: xhr.status, text: said?.message || `The answer was ${xhr.status}.` });
    };
    if (body && name !== "complete") watch();
    xhr.send(body || null);
  });

  // The same until it is answered. Who is refused while it sends may not hear why: so before many
  // bytes are sent once more, something small is asked for.
  const steadily = async (job, name, more, body) => {
    let cut = 0, sent = false;
    for (let wait = 1000; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      try {
        if (cut) await ask(job, "parts").catch((error) => { if (error.status !== 404) throw error; });
        if (cut > 5) throw { status: 400, text: "The connection breaks off each time." };
        sent = true;
        return await ask(job, name, more, body);
      } catch (error) {
        if (sent && error.status === 0) cut++;
        sent = false;
        if (!AGAIN.includes(error.status) || job.state !== "going") throw error;
        say(job, `${error.text} Trying again…`);
        await new Promise((wake) => {
          job.wake = wake;
          setTimeout(wake, wait * (0.75 + Math.random() / 2));
        });
        if (job.state !== "going") throw error;
      }
    }
  };

  // One file.
  const send = async (job) => {
    const { name, size, type, lastModified: modified } = job.file;
    if (size <= WHOLE) return steadily(job, "put", { type }, job.file);
    if (job.upload) {
      try {
        job.there = (await steadily(job, "parts")).parts;
      } catch (error) {
        if (error.status !== 404) throw error;
        forget(job.upload);
        job.upload = "";
      }
    }
    if (!job.upload) {
      Object.assign(job, { there: {} }, await steadily(job, "begin", { size, type }));
      const { key, upload, part } = job;
      keep([...kept(), { here, key, upload, part, name, size, modified }]);
    }
    for (let number = 1, at = 0; at < size; number++, at += job.part) {
      const slice = job.file.slice(at, at + job.part);
      if (job.there[number]?.size === slice.size) continue;
      job.sent = Object.values(job.there).reduce((sum, one) => sum + one.size, 0);
      job.there[number] = await steadily(job, "part", { number }, slice);
    }
    const etags = JSON.stringify(Object.values(job.there).map((one) => one.etag));
    await steadily(job, "complete", { size }, etags);
    forget(job.upload);
  };

  const run = async (job) => {
    job.state = "going";
    draw(job);
    show(job, 0);
    try {
      await send(job);
      done++;
      end(job, "done", "Uploaded.");
    } catch (error) {
      if (job.state === "going") end(job, "failed", error.text);
    }
    next();
  };
  const next = () => {
    const going = jobs.filter((job) => job.state === "going").length;
    jobs.filter((job) => job.state === "waiting").slice(0, AT_ONCE - going).forEach(run);
    const failed = jobs.filter((job) => job.state === "failed").length;
    const left = jobs.some((job) => LEFT.includes(job.state));
    status.textContent = `${done} of ${jobs.length} files uploaded${failed ? `, ${failed} failed` : ""}.`;
    button(box, "reload").hidden = left || !done;
    window.onbeforeunload = left ? (event) => event.preventDefault() : null;
  };
  const stop = (job, state) => {
    job.state = state;
    job.xhr?.abort();
    job.wake?.();
  };
  const act = {
    pause(job) {
      stop(job, "paused");
      end(job, "paused", "Paused.");
      button(job.row, "resume").focus();
    },
    resume(job) { job.state = "waiting"; },
    cancel(job) {
      stop(job, "cancelled");
      end(job, "cancelled", "Cancelled.");
      if (!job.upload) return;
      forget(job.upload);
      ask(job, "abort").catch(() => { /* the page of uploads has it */ });
    },
  };

  // What is seen.
  const button = (place, name) => place.querySelector(`[data-do=${name}]`);
  const say = (job, text) => { job.row.querySelector(".told").textContent = text; };
  const show = (job, moved) => {
    if (job.state !== "going") return;
    const part = job.file.size ? Math.min(1, (job.sent + moved) / job.file.size) : 1;
    job.row.querySelector("progress").value = part;
    say(job, `${Math.floor(100 * part)} %`);
  };
  const line = (name) => {
    const made = row.cloneNode(true);
    made.querySelector(".key").textContent = name;
    made.querySelector("progress").setAttribute("aria-label", name);
    for (const one of made.querySelectorAll("button")) {
      one.setAttribute("aria-label", `${one.textContent} ${name}`);
    }
    return made;
  };
  const draw = (job) => {
    if (!job.row) {
      job.row = line(job.name);
      job.row.addEventListener("click", (event) => {
        const what = act[event.target.dataset.do];
        if (what) { what(job); next(); }
      });
      list.append(job.row);
    }
    end(job, job.state, "");
  };
  const end = (job, state, text) => {
    job.state = state;
    job.row.dataset.state = state;
    say(job, text);
    button(job.row, "pause").hidden = state !== "going";
    button(job.row, "resume").hidden = !["paused", "failed"].includes(state);
    button(job.row, "cancel").hidden = ["done", "cancelled"].includes(state);
    const over = list.querySelectorAll("[data-state=done], [data-state=cancelled]");
    if (over.length > 10) over[0].remove();
  };

  // What is chosen. Who has been begun before goes on.
  const add = (file, path) => {
    const job = { file, key: folder + encodeURIComponent(path), name: path, state: "waiting", sent: 0 };
    const same = unfinished().find((one) => one.size === file.size
      && one.modified === file.lastModified
      && (one.key === job.key || (one.name === file.name && path === file.name)));
    if (same) {
      Object.assign(job, { key: same.key, upload: same.upload, part: same.part });
      document.getElementById(same.upload)?.remove();
    }
    jobs.push(job);
  };
  const walk = async (entry, path) => {
    if (entry.isFile) return add(await new Promise((ok, no) => entry.file(ok, no)), path + entry.name);
    const reader = entry.createReader();
    for (let some; (some = await new Promise((ok, no) => reader.readEntries(ok, no))).length;) {
      for (const one of some) await walk(one, `${path}${entry.name}/`);
    }
  };
  for (const input of box.querySelectorAll(".unseen")) {
    input.addEventListener("change", () => {
      for (const file of input.files) add(file, file.webkitRelativePath || file.name);
      input.value = "";
      next();
    });
  }
  for (const name of ["dragover", "dragleave", "drop"]) {
    box.addEventListener(name, (event) => {
      event.preventDefault();
      box.toggleAttribute("data-over", name === "dragover");
    });
  }
  box.addEventListener("drop", async (event) => {
    const dropped = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry() ?? one.getAsFile());
    for (const one of dropped) {
      if (one instanceof File) add(one, one.name);
      else if (one) await walk(one, "");
    }
    next();
  });
  addEventListener("online", () => jobs.forEach((job) => job.wake?.()));
  button(box, "reload").addEventListener("click", () => location.reload());
  for (const one of unfinished()) {
    const job = { ...one, row: line(one.name) };
    job.row.id = one.upload;
    job.row.querySelector("progress").remove();
    button(job.row, "cancel").addEventListener("click", () => {
      act.cancel({ ...job, file: null });
    });
    list.append(job.row);
    end(job, "left", "Not finished: choose the same file to go on.");
  }
})();
