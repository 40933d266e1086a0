/** Builders of protocol bodies for the tests of the web client. */

export const ANA = "00000000-0000-7000-8000-00000000000a";
export const BEN = "00000000-0000-7000-8000-00000000000b";
export const CLEO = "00000000-0000-7000-8000-00000000000c";
export const ROOM = "00000000-0000-7000-8000-000000000101";
export const OTHER_ROOM = "00000000-0000-7000-8000-000000000102";

export function participant(user_id, changes = {}) {
  return {
    user_id,
    username: user_id.slice(-1),
    display_name: user_id.slice(-1).toUpperCase(),
    avatar_url: "",
    role: "member",
    can_send_messages: true,
    joined_at: "2026-01-01T00:00:00Z",
    last_read_sequence: 0,
    last_delivered_sequence: 0,
    ...changes,
  };
}

export function conversation(changes = {}) {
  return {
    id: ROOM,
    type: "group",
    name: "Room",
    display_name: "Room",
    description: "",
    avatar_url: "",
    created_at: "2026-01-01T00:00:00Z",
    last_sequence: 0,
    last_message: null,
    participant_count: 2,
    participants: [participant(ANA), participant(BEN)],
    unread_count: 0,
    me: { role: "member", last_read_sequence: 0 },
    my_permissions: ["send_messages"],
    ...changes,
  };
}

export function message(sequence, sender_user_id, changes = {}) {
  return {
    id: `message-${sequence}`,
    client_message_id: `client-${sequence}`,
    conversation_id: ROOM,
    sequence,
    sender_user_id,
    message_type: "text",
    content: `text ${sequence}`,
    metadata: {},
    reply_to_id: null,
    status: "sent",
    created_at: "2026-01-01T00:00:00Z",
    edited_at: null,
    deleted_at: null,
    ...changes,
  };
}

export function newMessage(sequence, sender, changes = {}) {
  const body = message(sequence, sender, changes);
  return { type: "new_message", conversation_id: body.conversation_id, sequence, message: body };
}
