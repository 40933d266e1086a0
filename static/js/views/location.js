/** Sharing my location: asks the browser, then the person, then sends a location message. */
import { askToConfirm } from "./dialog.js";
import { showToast } from "./toast.js";

const PRECISION = 5;
const TIMEOUT_MS = 15_000;

function currentPosition() {
  return new Promise((resolve, reject) => {
    navigator.geolocation.getCurrentPosition(resolve, reject, { timeout: TIMEOUT_MS });
  });
}

/** Ask for the position and send it to a conversation. */
export async function shareLocation({ outbox }, conversationId) {
  let coords;
  try {
    ({ coords } = await currentPosition());
  } catch {
    showToast("Your position is not available. The browser may have been told not to share it.");
    return;
  }
  const latitude = Number(coords.latitude.toFixed(PRECISION));
  const longitude = Number(coords.longitude.toFixed(PRECISION));
  const confirmed = await askToConfirm({
    title: "Share your location?",
    text: `${latitude}, ${longitude} will be sent to this conversation.`,
    action: "Share",
  });
  if (!confirmed) return;
  outbox.compose({
    conversation_id: conversationId,
    content: "",
    message_type: "location",
    metadata: { latitude, longitude },
  });
}
