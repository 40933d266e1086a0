/**
 * The service worker: shows pushes while no page is open. It stores nothing and answers no requests of
 * pages.
 *
 * It is served as /service-worker.js, because the scope of a worker is the folder of its address.
 * Lives here: the listeners. Does not live here: the handlers (events.js).
 */
import { createEvents } from "./events.js";

const events = createEvents(self);

// A new version need not wait: pages do not depend on it.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (event) => event.waitUntil(events.push(event.data)));
self.addEventListener("notificationclick", (event) => event.waitUntil(events.click(event.notification)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(events.renew(event)));
self.addEventListener("message", (event) => event.waitUntil(events.pageMessage(event.data)));
