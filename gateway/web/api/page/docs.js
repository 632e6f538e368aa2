"use strict";
// Makes the page work: what is typed goes into the examples, and "Try it" sends it.
// The key is read from its field when a request is made, and kept nowhere else.

const ROOT = new URL("{{root}}", location.href).href; // where the functions are
const BASE = "{{base}}/"; // where the examples think they are
const SHOWN = 200_000; // characters of an answer that are shown; all of it can be saved
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const encoded = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

function made(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// the address, and what shows it

function address(article, examples) {
  const text = (input) => input.value || (examples && input.required ? input.placeholder : "");
  let path = article.dataset.function;
  for (const input of all('[data-place="path"]', article)) {
    path = path.replace(`{${input.name}}`, () => encoded(text(input)).replaceAll("%2F", "/"));
  }
  const pairs = all('[data-place="query"]', article)
    .map((input) => [input.name, text(input)])
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}=${encoded(value)}`);
  const query = pairs.length ? `?${pairs.join("&")}` : "";
  return `${ROOT}${path}${query}`;
}

function show(article) {
  const typed = all('[data-place="path"], [data-place="query"]', article).some((input) => input.value);
  for (const place of all(".url", article)) {
    place.dataset.first ??= place.textContent;
    place.textContent = typed ? address(article, true) : ROOT + place.dataset.first.slice(BASE.length);
  }
}

// languages: one choice for the whole page

function choose(language) {
  for (const tab of all('[role="tab"]')) {
    const chosen = tab.dataset.language === language;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  for (const panel of all('[role="tabpanel"]')) panel.hidden = panel.dataset.language !== language;
}

function move(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = all('[role="tab"]', event.currentTarget);
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  choose(next.dataset.language);
  next.focus();
  event.preventDefault();
}

async function copy(event) {
  const button = event.currentTarget;
  const panel = all('[role="tabpanel"]', button.parentElement).find((one) => !one.hidden);
  try {
    await navigator.clipboard.writeText(panel.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(panel); // without TLS there is no clipboard: it is selected
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// trying

const READ = {
  boolean: (text) => (text === "true" || text === "false" ? text === "true" : text),
  flag: Number,
  integer: Number,
  object: JSON.parse,
  texts: (text) => text.split("\n").filter((line) => line),
};

function body(article) {
  const file = article.querySelector('input[type="file"]');
  if (file) return file.files[0];
  const inputs = all('[data-place="member"]', article);
  if (!inputs.length) return undefined;
  const typed = inputs.filter((input) => input.value);
  const value = (input) => (READ[input.dataset.kind] ?? String)(input.value);
  return JSON.stringify(Object.fromEntries(typed.map((input) => [input.name, value(input)])));
}

async function attempt(event) {
  event.preventDefault();
  const article = event.currentTarget.closest("article");
  const key = document.getElementById("key");
  const open = "open" in article.dataset;
  if (!key.value && !open) {
    key.focus();
    say(article, "Give the value of a key first.", false);
    return;
  }
  const button = article.querySelector('button[type="submit"]');
  button.disabled = true;
  const begun = performance.now();
  try {
    const headers = new Headers({ ...{{always}}, ...(open ? {} : { "{{header}}": key.value }) });
    for (const input of all('[data-place="header"]', article)) {
      if (input.value) headers.set(input.name, input.value);
    }
    const content = body(article);
    if (typeof content === "string") headers.set("Content-Type", "application/json");
    const answer = await fetch(address(article, false), {
      method: article.dataset.method,
      headers,
      body: content,
      cache: "no-store",
      credentials: "omit",
    });
    await render(article, answer, await answer.blob(), performance.now() - begun);
  } catch (error) {
    say(article, error.message, false);
  } finally {
    button.disabled = false;
  }
}

function say(article, text, good, detail) {
  const reply = article.querySelector(".reply");
  reply.hidden = false;
  const status = reply.querySelector(".status");
  status.className = `status ${good ? "good" : "bad"}`;
  status.textContent = text;
  if (detail) status.append(made("small", "", detail));
  reply.querySelector(".shown").replaceChildren();
  reply.querySelector(".headers").textContent = "";
  return reply;
}

async function render(article, answer, body, took) {
  const kind = (answer.headers.get("content-type") || "").split(";")[0];
  const shown = await content(kind, body, article); // first: the status says that all is there
  const detail = `${took.toFixed(0)} ms, ${body.size.toLocaleString("en")} bytes`;
  const reply = say(article, `${answer.status} ${answer.statusText}`, answer.status < 400, detail);
  reply.querySelector(".headers").textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  reply.querySelector(".shown").replaceChildren(...shown);
  reply.scrollIntoView({ block: "nearest" });
}

async function content(kind, body, article) {
  const file = article.dataset.function === "getfile" && body.size ? [saved(body, article)] : [];
  if (/^image\/(png|jpeg|gif|webp|avif)$/.test(kind)) {
    const image = made("img");
    image.src = URL.createObjectURL(body);
    image.alt = "The file that was got";
    image.onload = () => URL.revokeObjectURL(image.src);
    return [image, ...file];
  }
  if (kind === "application/json" && body.size <= SHOWN) {
    try {
      return [colored(JSON.parse(await body.text())), ...file];
    } catch { /* a file that calls itself JSON: shown as text */ }
  }
  if (kind.startsWith("text/") || kind === "application/json") {
    return [made("pre", "", await body.slice(0, SHOWN).text()), ...file];
  }
  return file;
}

function saved(body, article) {
  const link = made("a", "", "Save the file");
  const path = all('[name="path"]', article).map((input) => input.value).join("");
  link.href = URL.createObjectURL(body);
  link.download = path.split("/").pop() || "file";
  return link;
}

function colored(value) {
  const pre = made("pre");
  const text = JSON.stringify(value, null, 2);
  const tokens = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
  let at = 0;
  for (const match of text.matchAll(tokens)) {
    pre.append(text.slice(at, match.index));
    const kind = match[2] !== undefined ? "j-key" : match[1] ? "j-string" : match[3] ? "j-number" : "j-word";
    pre.append(made("span", kind, match[1] ?? match[0]), match[2] ?? "");
    at = match.index + match[0].length;
  }
  pre.append(text.slice(at));
  return pre;
}

// beginning

for (const article of all("article")) {
  show(article);
  const form = article.querySelector("form");
  form.addEventListener("input", () => show(article));
  form.addEventListener("submit", attempt);
}
for (const list of all('[role="tablist"]')) {
  list.addEventListener("click", (event) => event.target.dataset.language && choose(event.target.dataset.language));
  list.addEventListener("keydown", move);
}
for (const button of all(".copy")) button.addEventListener("click", copy);

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of all("nav li a")) {
      if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}, { rootMargin: "-20% 0px -70% 0px" });
for (const article of all("article")) seen.observe(article);
