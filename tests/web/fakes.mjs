/** A clock that a test moves, sockets without a server, and a storage in memory. */

export class FakeSurroundings {
  constructor() {
    this.time = 1_000_000;
    this.timers = [];
    this.sockets = [];
    const surroundings = this;
    this.WebSocket = class {
      constructor(url) {
        this.url = url;
        this.readyState = 0;
        this.sent = [];
        surroundings.sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close() {
        this.readyState = 3;
      }
      receives(frame) {
        this.readyState = 1;
        this.onmessage({ data: JSON.stringify(frame) });
      }
      drops(code = 1006) {
        this.readyState = 3;
        this.onclose?.({ code });
      }
    };
    this.now = () => this.time;
    this.random = () => 0.5;
    this.setTimeout = (call, delay) => this.#add(call, delay, null);
    this.setInterval = (call, delay) => this.#add(call, delay, delay);
    this.clearTimeout = this.clearInterval = (timer) => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }

  #add(call, delay, every) {
    const timer = { call, at: this.time + delay, every };
    this.timers.push(timer);
    return timer;
  }

  /** Let time pass, and run the due timers in order. */
  pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const due = this.timers.filter((one) => one.at <= end).sort((one, other) => one.at - other.at)[0];
      if (!due) break;
      this.time = Math.max(this.time, due.at);
      if (due.every) due.at += due.every;
      else this.clearTimeout(due);
      due.call();
    }
    this.time = end;
  }

  get socket() {
    return this.sockets.at(-1);
  }
}

export class FakeStorage {
  #values = new Map();
  get length() {
    return this.#values.size;
  }
  key(index) {
    return [...this.#values.keys()][index];
  }
  getItem(key) {
    return this.#values.get(key) ?? null;
  }
  setItem(key, value) {
    this.#values.set(key, value);
  }
  removeItem(key) {
    this.#values.delete(key);
  }
}
