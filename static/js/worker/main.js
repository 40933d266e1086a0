/**
 * The service worker: shows what is pushed while no page is open. It keeps nothing and answers no
 * requests of pages.
 *
 * It is served as /service-worker.js, because a worker's reach is the folder that it comes from.
 * Lives here: listening. Does not live here: what happens then (events.js).
 */
import { createEvents } from "./events.js";

const events = createEvents(self);

// A new version has nothing to wait for: pages do not depend on it.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (event) => event.waitUntil(events.push(event.data)));
self.addEventListener("notificationclick", (event) => event.waitUntil(events.click(event.notification)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(events.renew(event)));
self.addEventListener("message", (event) => event.waitUntil(events.told(event.data)));
