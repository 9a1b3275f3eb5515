/**
 * What the pages of all apps share, as `rookery`:
 * `el(tag, properties, ...children)` makes an element (children are text or elements: nothing is ever parsed as HTML);
 * `bytes(n)`, `seconds(n)`, `count(n)` write figures; `get(path)` is JSON of a route; and
 * `watch(path, { snapshot, update })` follows a feed, comes back when it was cut off, and asks for the token where one
 * is needed. `watch` returns `end(text)`: for a feed that has come to its end.
 * A token may come in the fragment (`#token=…`), which is sent to nobody.
 */
export const PAGE_SCRIPT = `
const rookery = (() => {
  const TOKEN = 'rookery-token';
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    sessionStorage.setItem(TOKEN, decodeURIComponent(given[1]));
    history.replaceState(null, '', location.pathname + location.search);
  }
  const el = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === 'class') element.className = value;
      else if (name.includes('-') || name === 'role' || name === 'scope' || name === 'colspan') element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const bytes = (n) => {
    let unit = 0;
    while (n >= 1000 && unit < 4) { n /= 1024; unit++; }
    return (unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + ' ' + UNITS[unit];
  };
  const count = (n) => Math.round(n).toLocaleString('en');
  const seconds = (n) => n < 60 ? n.toFixed(n < 10 ? 1 : 0) + ' s'
    : n < 3600 ? Math.floor(n / 60) + ' min ' + String(Math.floor(n % 60)).padStart(2, '0') + ' s'
    : Math.floor(n / 3600) + ' h ' + Math.floor(n % 3600 / 60) + ' min';
  const connection = document.getElementById('connection');
  const say = (state, sign, text) => {
    if (connection.dataset.state === state && connection.lastElementChild.textContent === text) return;
    connection.dataset.state = state;
    connection.firstElementChild.textContent = sign;
    connection.lastElementChild.textContent = text;
  };
  const form = document.getElementById('token-form');
  const ask = () => new Promise((resolve) => {
    form.hidden = false;
    document.getElementById('token').focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, document.getElementById('token').value);
      form.hidden = true;
      resolve();
    };
  });
  const open = async (path, signal) => {
    const token = sessionStorage.getItem(TOKEN);
    const response = await fetch(path, { signal, headers: token === null ? {} : { authorization: 'Bearer ' + token } });
    if (response.status === 401) {
      say('lost', '✗', token === null ? 'a token is needed' : 'the token is wrong');
      sessionStorage.removeItem(TOKEN);
      await ask();
      return open(path, signal);
    }
    if (!response.ok) throw new Error('HTTP ' + response.status);
    return response;
  };
  const get = async (path) => (await open(path)).json();
  const read = async (response, handlers) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf('\\n\\n')) >= 0; text = text.slice(end + 2)) {
        const found = /^event: (\\w+)\\ndata: (.*)$/.exec(text.slice(0, end));
        if (found) handlers[found[1]]?.(JSON.parse(found[2]));
      }
    }
  };
  const watch = (path, handlers) => {
    let ended;
    const controller = new AbortController();
    const turn = async () => {
      for (let waitMs = 500; ended === undefined; waitMs = Math.min(waitMs * 2, 10000)) {
        try {
          const response = await open(path, controller.signal);
          say('live', '●', 'live');
          waitMs = 500;
          await read(response, handlers);
        } catch (error) {
          if (!(error instanceof TypeError) && error.name !== 'AbortError' && !/^HTTP/.test(error.message)) throw error;
        }
        if (ended !== undefined) break;
        say('lost', '✗', 'not connected; trying again');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    };
    turn();
    return (text) => {
      if (ended !== undefined) return;
      ended = text;
      say('ended', '■', text);
      controller.abort();
    };
  };
  return { el, bytes, count, seconds, get, watch };
})();
`;
