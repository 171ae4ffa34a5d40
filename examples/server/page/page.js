// The page: forms that become requests, and responses that become text. Data is only ever set as text, never as HTML.

import { element, events, send } from "./request.js";

const get = id => document.getElementById(id);

// Forms.

// handle submits a form through fn. What the service refuses is shown beside its field, or in the form's notice.
function handle(form, fn) {
  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (waiting(form)) return;
    clearErrors(form);
    await busy(form, () => fn(Object.fromEntries(new FormData(form))));
  });
}

async function busy(form, fn) {
  wait(form, true);
  try {
    await fn();
    wait(form, false);
  } catch (error) {
    wait(form, false);
    refused(form, error);
  }
}

// A form that waits keeps its button focused: one that is disabled would lose the place of whoever uses the keyboard.
const waiting = form => form.querySelector("button").hasAttribute("aria-disabled");

function wait(form, on) {
  const button = form?.querySelector("button");
  if (on) button?.setAttribute("aria-disabled", "true");
  else button?.removeAttribute("aria-disabled");
}

class Refusal extends Error {
  constructor({ response, data }) {
    super(data?.title ?? `The service answered ${response.status}.`);
    this.status = response.status;
    this.fields = data?.errors ?? [];
    this.wait = Number(response.headers.get("Retry-After")) || 0;
  }
}

// api is send, with a refusal as an error. Without a session there is only the sign-in form.
async function api(method, path, body, options) {
  const result = await send(method, path, body, options);
  if (result.response.ok) return result;
  const refusal = new Refusal(result);
  if (refusal.status === 401 && path !== "/login" && user) {
    showUser(null);
    notice(get("sign-in"), "Your session has ended. Sign in again.", true);
  }
  throw refusal;
}

// refused shows why a request failed: in its form, or at the top where form is null. again is called when a rate limit
// is over.
function refused(form, error, again) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refusal)) {
    notice(form, "The service does not answer. Try again in a while.", true);
    return;
  }
  if (error.status === 429) {
    countDown(form, error.wait || 1, again);
    return;
  }
  const others = error.fields.filter(field => !showFieldError(form, field));
  form?.querySelector("[aria-invalid=true]")?.focus();
  if (others.length > 0 || error.fields.length === 0) {
    notice(form, [error.message, ...others.map(f => `${f.pointer} ${f.message}.`)].join(" "), true);
  }
}

// showFieldError puts a message beside the control that the problem's pointer names, if the form has it.
function showFieldError(form, { pointer, message }) {
  const control = form?.elements[pointer.replace(/^.*\//, "")];
  if (!control) return false;
  const input = control instanceof RadioNodeList ? control[0] : control;
  const field = input.closest(".field");
  const text = element("p", `This ${message}.`, "error");
  text.id = `error-${++errors}`;
  field.append(text);
  input.setAttribute("aria-invalid", "true");
  input.dataset.described = input.getAttribute("aria-describedby") ?? "";
  input.setAttribute("aria-describedby", `${input.dataset.described} ${text.id}`.trim());
  return true;
}

let errors = 0;

function clearErrors(form) {
  notice(form, "");
  for (const text of form.querySelectorAll(".error")) text.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    if (input.dataset.described) input.setAttribute("aria-describedby", input.dataset.described);
    else input.removeAttribute("aria-describedby");
  }
}

// noticeOf is a form's notice, or the one at the top where it has none.
function noticeOf(form) {
  return form?.querySelector(".notice") ?? get("main-notice");
}

function notice(form, text, bad = false) {
  const n = noticeOf(form);
  stopCount(n);
  n.classList.toggle("bad", bad);
  n.textContent = text;
}

const counts = new Map(); // by notice

function stopCount(n) {
  clearInterval(counts.get(n)?.timer);
  counts.get(n)?.over();
  counts.delete(n);
}

// countDown shows how long a rate limit still holds. A screen reader hears it once, not every second.
function countDown(form, seconds, again) {
  notice(form, "", true);
  const n = noticeOf(form);
  const until = Date.now() + seconds * 1000;
  const left = element("span", `${seconds} s`, "count");
  const spoken = element("span", `in ${seconds} seconds`, "spoken");
  left.setAttribute("aria-hidden", "true");
  n.append("Too many requests. Try again ", spoken, left, ".");
  wait(form, true);
  const tick = () => {
    const rest = Math.ceil((until - Date.now()) / 1000);
    left.textContent = `in ${rest} s`;
    if (rest > 0) return;
    notice(form, again ? "" : "You can try again now.");
    again?.();
  };
  tick();
  counts.set(n, { timer: setInterval(tick, 250), over: () => wait(form, false) });
}

// Who is signed in.

let user = null;

function showUser(who) {
  user = who;
  get("who").textContent = who ? who.email + (who.role === "admin" ? " (admin)" : "") : "";
  get("sign-out").hidden = !who;
  get("signed-in").hidden = !who;
  get("signed-out").hidden = Boolean(who);
  get("projects").replaceChildren();
  get("completion").hidden = true;
  notice(null, "");
  document.querySelectorAll("main form").forEach(clearErrors);
}

handle(get("sign-in"), async input => {
  await api("POST", "/login", input);
  get("sign-in").reset();
  await enter();
  heading().focus();
});

handle(get("sign-out"), async () => {
  await api("POST", "/logout");
  stopCompletion();
  showUser(null);
  history.replaceState(null, "", "/");
  get("sign-in").elements.email.focus();
});

async function enter() {
  const { data } = await api("GET", "/me");
  showUser(data.user);
  await route();
}

// Projects.

const heading = () => (get("one").hidden ? get("all") : get("one")).querySelector("h1");

// route shows what the address names: #/projects/{id}, or all projects.
async function route() {
  const id = /^#\/projects\/(.+)$/.exec(location.hash)?.[1];
  get("one").hidden = !id;
  get("all").hidden = Boolean(id);
  try {
    await (id ? showOne(id) : showAll());
  } catch (error) {
    refused(null, error, route);
  }
}

// current reports whether the address is still what it was when a request began: answers may overtake each other.
function current() {
  const { hash } = location;
  return () => location.hash === hash;
}

async function showAll(cursor) {
  const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
  const wanted = current();
  const { data } = await api("GET", `/projects${query}`);
  if (!wanted()) return;
  const items = data.projects.map(projectItem);
  if (cursor) get("projects").append(...items);
  else get("projects").replaceChildren(...items);
  get("more").hidden = !data.next;
  get("more").onclick = () => showAll(data.next).catch(error => refused(null, error));
  showEmpty();
}

function showEmpty() {
  get("no-projects").hidden = get("projects").children.length > 0;
}

async function showOne(id) {
  const title = get("one").querySelector("h1");
  title.textContent = "Project";
  get("one-body").replaceChildren();
  const wanted = current();
  try {
    const { data } = await api("GET", `/projects/${encodeURIComponent(decoded(id))}`);
    if (!wanted()) return;
    const list = element("ul", "", "projects");
    list.append(projectItem(data.project));
    get("one-body").replaceChildren(list);
  } catch (error) {
    if (error.status !== 404) throw error;
    if (!wanted()) return;
    title.textContent = "Project not found";
    get("one-body").replaceChildren(element("p", "There is no such project, or it belongs to somebody else. The service answers both in the same way, so that ids cannot be tried out."));
  }
}

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // a stray percent sign
  }
}

function projectItem(project) {
  const item = get("project-item").content.cloneNode(true).firstElementChild;
  const view = item.querySelector(".project-view");
  const form = item.querySelector("form");
  const rename = item.querySelector(".rename");
  fill(item, project);
  const edit = on => {
    view.hidden = on;
    form.hidden = !on;
    clearErrors(form);
    if (on) {
      form.elements.name.value = project.name;
      form.elements.name.select();
    } else {
      rename.focus();
    }
  };
  rename.onclick = () => edit(true);
  item.querySelector(".cancel").onclick = () => edit(false);
  form.onkeydown = event => { if (event.key === "Escape") edit(false); };
  item.querySelector(".delete").onclick = () => remove(item, project);
  handle(form, async input => {
    ({ data: { project } } = await api("PATCH", `/projects/${project.id}`, input));
    fill(item, project);
    edit(false);
    notice(null, `Renamed to “${project.name}”.`);
  });
  return item;
}

function fill(item, project) {
  const link = item.querySelector("a");
  link.textContent = project.name;
  link.href = `#/projects/${project.id}`;
  item.querySelector(".badge").textContent = project.visibility;
  item.querySelector(".project-summary").textContent = project.summary;
  const time = item.querySelector("time");
  time.dateTime = project.updatedAt;
  time.textContent = `Changed ${new Date(project.updatedAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`;
  item.querySelector(".rename").setAttribute("aria-label", `Rename ${project.name}`);
  item.querySelector(".delete").setAttribute("aria-label", `Delete ${project.name}`);
}

function remove(item, project) {
  const dialog = get("confirm");
  get("confirm-text").textContent = `Delete “${project.name}” for good?`;
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "delete") return;
    try {
      await api("DELETE", `/projects/${project.id}`);
      if (get("all").hidden) location.hash = "#/";
      item.remove();
      showEmpty();
      notice(null, `Deleted “${project.name}”.`);
      heading().focus();
    } catch (error) {
      refused(null, error);
    }
  };
  dialog.showModal();
}

handle(get("create"), async input => {
  const { data } = await api("POST", "/projects", input);
  get("create").reset();
  notice(get("create"), `Created “${data.project.name}”.`);
  if (get("all").hidden) return;
  get("projects").prepend(projectItem(data.project));
  showEmpty();
});

handle(get("open"), async ({ id }) => {
  if (id.trim()) location.hash = `#/projects/${encodeURIComponent(id.trim())}`;
});

addEventListener("hashchange", async () => {
  if (!location.hash.startsWith("#/") && location.hash) return; // the skip link
  if (!user) return;
  await route();
  heading().focus();
});

// Completion and contact.

let running = null;

function stopCompletion() {
  running?.abort();
}

get("stop").onclick = stopCompletion;

handle(get("complete"), async input => {
  const out = get("completion");
  out.textContent = "";
  out.hidden = true;
  running = new AbortController();
  get("stop").hidden = false;
  try {
    const { response } = await api("POST", "/ai/complete", input, { signal: running.signal });
    out.hidden = false;
    out.setAttribute("aria-busy", "true"); // read out when it is whole
    await showCompletion(response, out);
  } finally {
    get("stop").hidden = true;
    out.removeAttribute("aria-busy");
    running = null;
  }
});

// showCompletion ends without a notice only after the done event: what breaks off is not taken for the whole.
async function showCompletion(response, out) {
  try {
    for await (const event of events(response)) {
      if (event.name === "done") {
        notice(get("complete"), "Done.");
        return;
      }
      out.append(event.data.text);
    }
  } catch (error) {
    if (error.name === "AbortError") {
      notice(get("complete"), "Stopped.");
      return;
    }
  }
  notice(get("complete"), "The completion broke off.", true);
}

handle(get("contact"), async input => {
  await api("POST", "/contact", input);
  get("contact").reset();
  notice(get("contact"), "Thank you. Your message has arrived.");
});

// Start with the session that the browser may still have.
async function start() {
  try {
    await enter();
  } catch (error) {
    showUser(null);
    if (error.status !== 401) refused(null, error, start);
  }
}

start();
