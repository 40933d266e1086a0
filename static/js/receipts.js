/**
 * Sending receipts: which messages have arrived here and which have been read.
 *
 * A delivery receipt is sent when a message is in this client's state, a read receipt when the view
 * dispatched `read_here`. A receipt covers everything before it, so several changes within a quarter
 * of a second become one frame. The server does not answer receipts. But it handles the frames of a
 * socket in order, so the `pong` to a later `ping` shows that they were accepted. Until then a read
 * position stays in `reads` (and in the cache) and is sent again on the next socket.
 *
 * Lives here: when and how often. Does not live here: positions and counts (state/receipts.js).
 */

const GATHER_MS = 250;
const FRAMES_PER_ROUND = 6;

/** Create the sender of receipts. */
export function createReceipts({ store, connection, surroundings = globalThis }) {
  const { setTimeout } = surroundings;
  const now = surroundings.now ?? (() => Date.now());
  const delivered = new Map();
  const read = new Map();
  let timer = null;

  function schedule() {
    timer ??= setTimeout(flush, GATHER_MS);
  }

  function flush() {
    timer = null;
    if (!connection.ready) return;
    let budget = FRAMES_PER_ROUND;
    for (const frame of dueReceipts(store.state)) {
      if (budget === 0 || connection.silent || !connection.send(frame)) {
        schedule();
        return;
      }
      budget -= 1;
      const sent = frame.type === "read_receipt" ? read : delivered;
      sent.set(frame.conversation_id, { sequence: frame.sequence, at: now() });
    }
  }

  function* dueReceipts(state) {
    for (const [conversation_id, sequence] of Object.entries(state.reads)) {
      if ((read.get(conversation_id)?.sequence ?? 0) < sequence) {
        yield { type: "read_receipt", conversation_id, sequence };
      }
    }
    for (const conversation of Object.values(state.conversations)) {
      const sequence = conversation.foreign_sequence;
      if (sequence > deliveredPosition(conversation, state.me.id)) {
        yield { type: "delivery_receipt", conversation_id: conversation.id, sequence };
      }
    }
  }

  function deliveredPosition(conversation, viewerId) {
    const mine = conversation.participants.find((one) => one.user_id === viewerId);
    return Math.max(
      mine?.last_delivered_sequence ?? 0,
      conversation.me.last_read_sequence,
      delivered.get(conversation.id)?.sequence ?? 0,
    );
  }

  store.subscribe((state, previous) => {
    if (state.conversations !== previous.conversations || state.reads !== previous.reads) schedule();
  });

  return {
    /** Send all receipts again on a new socket: those of the old one may be lost. */
    linkChanged(link) {
      if (link !== "connected") return;
      delivered.clear();
      read.clear();
      schedule();
    },
    /** Handle a pong: it confirms the read receipts that were sent before its ping. */
    frameReceived(frame) {
      if (frame.type !== "pong" || !frame.timestamp) return;
      const pinged = Date.parse(frame.timestamp);
      const reads = {};
      for (const [id, sent] of read) {
        if (sent.at < pinged) reads[id] = sent.sequence;
      }
      store.dispatch({ type: "reads_confirmed", reads });
    },
  };
}
