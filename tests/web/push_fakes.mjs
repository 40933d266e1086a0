/** The parts of a browser's push and notification APIs that the client uses, and a server for devices. */

export const CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
export const SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";
export const KEY = Buffer.from(Uint8Array.from({ length: 65 }, (_, index) => 255 - index)).toString("base64url");
export const OTHER_KEY = Buffer.from(Uint8Array.from({ length: 65 }, (_, index) => index)).toString("base64url");

export class FakePushManager {
  held = null;
  made = 1;
  failure = null;
  make(key, endpoint) {
    const bytes = typeof key === "string" ? Uint8Array.from(Buffer.from(key, "base64url")) : key;
    const subscription = {
      endpoint,
      options: { applicationServerKey: bytes.buffer },
      toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh: "p", auth: "a" } }),
      unsubscribe: async () => {
        if (this.held === subscription) this.held = null;
        return true;
      },
    };
    return subscription;
  }
  async getSubscription() {
    return this.held;
  }
  async subscribe({ userVisibleOnly, applicationServerKey }) {
    if (this.failure) throw this.failure;
    if (!userVisibleOnly) throw new Error("NotAllowedError");
    this.made += 1;
    this.held = this.make(applicationServerKey, `https://push.test/${this.made}`);
    return this.held;
  }
}

export class FakeRegistration {
  constructor() {
    this.pushManager = new FakePushManager();
    this.shown = [];
    this.showings = 0;
    this.active = { state: "activated", told: [], postMessage: (message) => this.active.told.push(message) };
  }
  async getNotifications({ tag } = {}) {
    return this.shown.filter((one) => tag === undefined || one.tag === tag);
  }
  async showNotification(title, options) {
    this.showings += 1;
    this.shown = this.shown.filter((one) => one.tag !== options.tag);
    const notification = { title, options, ...options, close: () => (this.shown = this.shown.filter((one) => one !== notification)) };
    this.shown.push(notification);
  }
}

export class FakeWindow {
  constructor({ focused = false, showing }) {
    this.url = "https://chat.test/";
    this.visibilityState = "visible";
    this.focused = focused;
    this.showing = showing;
    this.told = [];
    this.asked = new Promise((resolve) => (this.wasAsked = resolve));
  }
  postMessage(message, [port] = []) {
    if (message.type !== "showing") this.told.push(message);
    else if (this.showing !== undefined) port.postMessage({ conversation_id: this.showing });
    else this.wasAsked();
  }
  async focus() {
    this.focused = true;
  }
}

export class FakeWorkerScope {
  constructor({ userAgent = CHROMIUM, csrf = null, key = KEY, status = 201 } = {}) {
    this.registration = new FakeRegistration();
    this.windows = [];
    this.opened = [];
    this.requests = [];
    this.badge = undefined;
    this.clients = {
      matchAll: async () => this.windows,
      openWindow: async (address) => void this.opened.push(address),
    };
    this.navigator = {
      userAgent,
      setAppBadge: async (number) => void (this.badge = number),
      clearAppBadge: async () => void (this.badge = 0),
    };
    if (csrf) this.cookieStore = { get: async (name) => (name === "csrftoken" ? { value: csrf } : null) };
    // Timers fire only when a test calls timeOut, so a slow machine changes nothing.
    Object.assign(this, { MessageChannel, setTimeout: (call) => void (this.timeOut = call), clearTimeout: () => {} });
    this.fetch = async (address, options = {}) => {
      this.requests.push({ address, ...options });
      if (!options.method) return { ok: true, status: 200, json: async () => ({ public_key: key }) };
      return { ok: status < 400, status };
    };
  }
  get shown() {
    return this.registration.shown;
  }
  get showings() {
    return this.registration.showings;
  }
  titles() {
    return this.shown.map((one) => one.title);
  }
}

/** The browser as push.js sees it. */
export class FakeBrowser {
  constructor({ permission = "default", answer = "granted" } = {}) {
    const browser = this;
    this.registration = undefined;
    this.kept = new FakeRegistration();
    this.kept.unregister = async () => void (this.registration = undefined);
    this.asked = 0;
    this.PushManager = FakePushManager;
    this.Notification = {
      permission,
      async requestPermission() {
        browser.asked += 1;
        browser.Notification.permission = answer;
        return answer;
      },
    };
    this.navigator = {
      serviceWorker: {
        getRegistration: async () => this.registration,
        register: async (address, options) => {
          this.registered = { address, options };
          this.registration = this.kept;
          return this.kept;
        },
      },
    };
    this.setTimeout = setTimeout;
  }
  get subscription() {
    return this.kept.pushManager.held;
  }
}

/** A server that stores devices; with `failure` set it throws that instead. */
export class FakeDeviceApi {
  constructor({ key = KEY } = {}) {
    this.key = key;
    this.devices = new Map();
    this.registrations = 0;
    this.failure = null;
  }
  #answer() {
    if (this.failure) throw this.failure;
  }
  async vapidKey() {
    this.#answer();
    return { public_key: this.key };
  }
  async registerDevice(fields) {
    this.#answer();
    this.registrations += 1;
    this.devices.set(fields.device_token, fields);
  }
  async forgetDevice(token) {
    this.#answer();
    this.devices.delete(token);
  }
}
