// One request to the service, and the panel that shows the last one.

const get = id => document.getElementById(id);

const shownHeaders = ["Content-Type", "Cache-Control", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"];
const hidden = new Set(["token", "password"]);

// send makes a request of this page's own origin. The browser adds the session cookie, which no script can read. The
// result has the response and, unless it is a stream, its body.
export async function send(method, path, body, { signal } = {}) {
  const init = { method, headers: {}, credentials: "same-origin", cache: "no-store", signal };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const start = performance.now();
  showRequest(method, path, init, body);
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    showFailure(error);
    throw error;
  }
  showResponse(response, performance.now() - start);
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("text/event-stream")) return { response };
  const text = await response.text();
  let data = null;
  if (type.includes("json")) data = JSON.parse(text);
  showBody(get("response-body"), data ?? text);
  return { response, data };
}

// events yields the server-sent events of a response: their name and their data, parsed.
export async function* events(response) {
  const log = get("response-body");
  let rest = "";
  for await (const chunk of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    log.append(chunk);
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop();
    for (const part of parts) yield event(part);
  }
}

// chunks is the stream's own iteration, which not every browser has.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

function event(text) {
  const fields = { event: "message", data: "null" };
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value;
  }
  return { name: fields.event, data: JSON.parse(fields.data) };
}

function showRequest(method, path, init, body) {
  get("request-none").hidden = true;
  get("request").hidden = false;
  get("request-line").textContent = `${method} ${path}`;
  const fields = Object.entries(init.headers);
  fields.push(["Cookie", "the browser's own, out of reach for scripts"]);
  showFields(get("request-fields"), fields);
  showBody(get("request-body"), body);
  showStatus("…", true);
  get("response-time").textContent = "";
  showFields(get("response-fields"), []);
  showBody(get("response-body"));
}

function showResponse(response, took) {
  showStatus(`${response.status} ${response.statusText}`, response.ok);
  get("response-time").textContent = `${Math.round(took)} ms`;
  const present = shownHeaders.filter(name => response.headers.has(name));
  showFields(get("response-fields"), present.map(name => [name, response.headers.get(name)]));
}

function showFailure(error) {
  showStatus(error.name === "AbortError" ? "stopped" : "no answer", false);
}

function showStatus(text, ok) {
  const status = get("response-status");
  status.textContent = text.trim();
  status.classList.toggle("bad", !ok);
  get("jump").hidden = false;
  get("jump").textContent = `↓ ${text.trim()}`;
}

get("jump").onclick = () => {
  get("request-title").focus({ preventScroll: true });
  get("request-title").scrollIntoView();
};

function showFields(list, fields) {
  list.replaceChildren(...fields.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

// showBody shows JSON with its tokens in color, and text as it is.
function showBody(pre, body) {
  pre.replaceChildren();
  if (body === undefined || body === "") return;
  if (typeof body === "string") {
    pre.textContent = body;
    return;
  }
  const text = JSON.stringify(body, (name, value) => hidden.has(name) ? "••••••" : value, 2);
  const token = /("(?:\\.|[^"\\])*")(:?)|[^\s{}[\],:"]+/g;
  let end = 0;
  for (const match of text.matchAll(token)) {
    pre.append(text.slice(end, match.index), element("span", match[1] ?? match[0], match[2] ? "name" : match[1] ? "string" : "other"), match[2] ?? "");
    end = match.index + match[0].length;
  }
  pre.append(text.slice(end));
}

export function element(tag, text, className = "") {
  const e = document.createElement(tag);
  e.textContent = text;
  e.className = className;
  return e;
}
