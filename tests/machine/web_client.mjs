/**
 * State and replica of many web clients without a page, controlled over standard input.
 *
 * A line of input is a list of jobs, each for one client; a line of output has the requests of the clients to the
 * server (`asks` over REST, `says` over the socket). Frames, answers and cuts come from the server under test;
 * nothing here checks them. Timers run only in the job `wait`.
 */
import { createInterface } from "node:readline";

import { createHistory } from "../../static/js/history.js";
import { createReplica } from "../../static/js/replica.js";
import { listedConversations, shownBubbles } from "../../static/js/state/selectors.js";
import { initialState, reduce } from "../../static/js/state/reducer.js";
import { createStore } from "../../static/js/store.js";

/** The parts of a state that cache.js stores. */
const CACHED_PARTS = ["me", "epoch", "since", "complete", "reads", "people", "limits", "conversations", "timelines"];

class WebClient {
  constructor(user, snapshot) {
    this.asks = [];
    this.says = [];
    this.timers = [];
    this.open = new Map();
    this.store = createStore(reduce, initialState());
    this.store.dispatch({ type: "signed_in", user });
    if (snapshot) this.store.dispatch({ type: "restored", snapshot });
    const surroundings = { setTimeout: (call) => this.timers.push(call), now: () => 0, random: () => 0 };
    const connection = { send: (frame) => this.says.push(frame) > 0 };
    const api = {
      conversations: (cursor) => this.#ask("/conversations", { cursor }),
      conversation: (id) => this.#ask(`/conversations/${id}`),
      events: (id, after) => this.#ask(`/conversations/${id}/events`, { after }),
      messages: (id, query) => this.#ask(`/conversations/${id}/messages`, query),
    };
    this.replica = createReplica({ store: this.store, connection, api, surroundings });
    this.history = createHistory({ store: this.store, api });
  }

  #ask(path, query = {}) {
    return new Promise((resolve, reject) => {
      const number = this.open.size;
      this.open.set(number, { resolve, reject });
      this.asks.push({ number, path, query });
    });
  }

  jobs = {
    frame: ({ frame }) => {
      this.store.dispatch({ type: "frame_received", frame, now: 0 });
      this.replica.frameReceived(frame);
    },
    link: ({ link }) => this.replica.linkChanged(link),
    answer: ({ number, status, body }) => {
      const { resolve, reject } = this.open.get(number);
      if (status < 300) resolve(body);
      else reject(Object.assign(new Error(body.code), { status, code: body.code }));
    },
    /** Read a message on the screen: older pages are loaded until it is there. */
    read: async ({ id, sequence }) => {
      await this.history.reach(id, sequence + 1);
      this.store.dispatch({ type: "read_here", id, sequence });
    },
    confirm: ({ id, sequence }) => this.store.dispatch({ type: "reads_confirmed", reads: { [id]: sequence } }),
    scroll: async ({ id }) => {
      while (this.store.state.timelines[id]?.covers_from > 1 && (await this.history.loadOlder(id)));
    },
    wait: () => this.timers.splice(0).forEach((call) => call()),
  };

  snapshot() {
    return structuredClone(Object.fromEntries(CACHED_PARTS.map((part) => [part, this.store.state[part]])));
  }

  shown() {
    const { state } = this.store;
    return {
      link: state.link,
      repairs: state.repairs,
      outbox: state.outbox,
      conversations: listedConversations(state).map((conversation) => ({
        ...conversation,
        covers_from: state.timelines[conversation.id].covers_from,
        bubbles: shownBubbles(state, conversation.id),
      })),
    };
  }
}

const clients = new Map();
const snapshots = new Map();

/** Do the jobs and everything that follows from them; return the requests of the clients. */
async function turn(jobs) {
  const replies = {};
  for (const job of jobs) {
    const client = clients.get(job.client);
    if (job.do === "begin") clients.set(job.client, new WebClient(job.user, null));
    else if (job.do === "save") snapshots.set(job.client, client.snapshot());
    else if (job.do === "restore") clients.set(job.client, new WebClient(job.user, snapshots.get(job.client)));
    else if (job.do === "show") replies[job.client] = client.shown();
    else if (job.do === "end") [clients, snapshots].forEach((map) => map.clear());
    else client.jobs[job.do](job);
  }
  await new Promise((resolve) => setImmediate(resolve));
  const wishes = [];
  for (const [key, client] of clients) {
    for (const ask of client.asks.splice(0)) wishes.push({ client: key, ask });
    for (const frame of client.says.splice(0)) wishes.push({ client: key, frame });
  }
  const waiting = [...clients].filter(([, client]) => client.timers.length > 0).map(([key]) => key);
  return { wishes, waiting, replies };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await turn(JSON.parse(line)))}\n`);
}
