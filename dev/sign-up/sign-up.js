// The sample page's client of the API: sends the form until the outcome is known, then waits until the row is stored.

/** @typedef {{ key: string, registration: Record<string, string> }} Submission One key for each filled-in form. */
/** @typedef {{ field: string, message: string }} FieldError */
/** @typedef {{ step: number, text: string, failed?: boolean }} Progress `step`: how many steps are done. */
/** @typedef {Progress & { isKnown: boolean, errors?: FieldError[] }} Outcome */
/** @typedef {{ code?: string, detail?: string, error?: string, errors?: FieldError[] }} ErrorBody Of either kind. */
/** @typedef {ErrorBody & { data?: { email: string, status?: string } }} Body */
/** @typedef {HTMLInputElement | HTMLSelectElement} Control */

const ACCEPT = 'application/json, application/problem+json';
const MAX_ATTEMPTS = 10;
const MAX_BACKOFF_SECONDS = 30;
const TIMEOUT_MS = 60_000; // Of a request, which is longer than the service lets it wait; and of the wait for the row.
/** @type {Outcome} Sending it again is safe, as the key is the same. */
const LOST = {
  step: 0,
  failed: true,
  isKnown: false,
  text: 'It is not known whether you are registered. Register again: nobody is registered twice.',
};

/** By `code`, and what else can happen. @type {Readonly<Record<string, string>>} */
const TEXTS = {
  already_registered: 'This email is already registered.',
  registration_in_progress: 'Another registration of this email is in progress.',
  request_in_progress: 'The previous attempt is still in progress.',
  rate_limited: 'Too many requests from this address.',
  unavailable: 'The service cannot confirm the registration at the moment.',
  unreachable: 'The service does not respond.',
  conflict: 'Another registration of this email came first.',
};
/** For responses that have no `code`. @type {Readonly<Record<number, string>>} */
const CODES = { 0: 'unreachable', 409: 'registration_in_progress', 429: 'rate_limited', 503: 'unavailable' };

const form = /** @type {HTMLFormElement} */ (byId('form'));
/** @type {NodeListOf<Control>} */
const controls = form.querySelectorAll('input, select');
const api = document.querySelector('meta[name=api]')?.getAttribute('content') ?? '';
/** @type {AbortController | undefined} Of the submission in flight. */
let running;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!running) void submit(); // A double click sends once.
});
form.addEventListener('input', ({ target }) => showError(/** @type {Control} */ (target), ''));
byId('stop').addEventListener('click', () => running?.abort());

/** @type {Submission | null} Its outcome is not known. */
const unfinished = history.state;
for (const control of controls) control.value = unfinished?.registration[control.name] ?? control.value;
show({ step: 0, text: unfinished ? LOST.text : '' });

async function submit() {
  const submission = submissionOfForm();
  // Survives a reload: the same form keeps its key until the outcome is known.
  history.replaceState(submission, '');
  running = new AbortController();
  for (const control of controls) showError(control, '');
  setBusy(true);

  const outcome = await register(submission, running.signal).catch((/** @type {unknown} */ error) => {
    if (!running?.signal.aborted) console.error(error);
    return LOST;
  });

  running = undefined;
  if (outcome.isKnown) history.replaceState(null, '');
  setBusy(false);
  show(outcome);
  showErrors(outcome.errors ?? []);
}

/** @param {Submission} submission @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function register({ key, registration }, signal) {
  const headers = { Accept: ACCEPT, 'Content-Type': 'application/json', 'Idempotency-Key': key };
  const post = { method: 'POST', headers, body: JSON.stringify(registration) };
  for (let attempt = 1; ; attempt += 1) {
    show({ step: 0, text: 'Sent: waiting for the confirmation.' });
    const answer = await request('', post, signal);
    if (answer.status === 201) return untilStored(answer.body.data?.email ?? '', signal);
    const { text, errors, retrySeconds } = failureOf(answer);
    if (retrySeconds === undefined) return { step: 1, failed: true, isKnown: true, text, errors };
    if (attempt === MAX_ATTEMPTS) return { ...LOST, text: `${text} ${LOST.text}` };
    show({ step: 0, text: `${text} It is sent again, with the same key.` });
    await countDown(Math.max(retrySeconds, Math.min(2 ** (attempt - 1), MAX_BACKOFF_SECONDS)), signal);
  }
}

/** @param {string} email @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function untilStored(email, signal) {
  const text = `Accepted: ${email} will be stored.`;
  show({ step: 2, text });
  const giveUpAt = Date.now() + TIMEOUT_MS;
  for (let pauseMs = 50; Date.now() < giveUpAt; pauseMs = Math.min(2 * pauseMs, 4000)) {
    await pause(pauseMs, signal);
    const { body } = await request(`/${encodeURIComponent(email)}/status`, {}, signal);
    const status = body.data?.status;
    if (status === 'completed') return { step: 3, isKnown: true, text: `Stored: ${email} is registered.` };
    if (status === 'failed') return { step: 2, failed: true, isKnown: true, text: TEXTS['conflict'] ?? '' };
  }
  return { step: 2, isKnown: true, text: `${text} It takes longer than usual.` };
}

/** Status 0: there was no response. @param {string} path @param {RequestInit} init @param {AbortSignal} signal */
async function request(path, init, signal) {
  const either = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const response = await fetch(`${api}/api/users${path}`, { ...init, signal: either });
    /** @type {Body} A proxy in between may respond without JSON. */
    const body = (await response.json().catch(() => null)) ?? {};
    return { status: response.status, retryAfter: response.headers.get('Retry-After'), body };
  } catch {
    signal.throwIfAborted();
    return { status: 0, retryAfter: null, body: /** @type {Body} */ ({}) };
  }
}

/** `retrySeconds`: after which the same may work. @param {Awaited<ReturnType<typeof request>>} answer */
function failureOf({ status, retryAfter, body }) {
  const mayWork = status === 0 || status > 500 || retryAfter !== null;
  const code = body.code ?? (status === 409 && !mayWork ? 'already_registered' : (CODES[status] ?? ''));
  const message = body.detail ?? body.error ?? `The service responded with ${status}.`;
  const [, rule, field] = /^Validation error: ((\w+) .+)/.exec(message) ?? [];
  const errors = body.errors ?? (rule && field ? [{ field, message: rule }] : []);
  if (code === 'already_registered') errors.push({ field: 'email', message: TEXTS[code] ?? '' });
  const text = TEXTS[code] ?? (errors.length > 0 ? 'Please correct what is marked.' : message);
  return { text, errors, retrySeconds: mayWork ? Number(retryAfter) || 1 : undefined };
}

function submissionOfForm() {
  // Without those left empty: the API says that they are required.
  const filledIn = [...controls].filter(({ value }) => value !== '');
  const registration = Object.fromEntries(filledIn.map(({ name, value }) => [name, value]));
  /** @type {Submission | null} */
  const last = history.state;
  const isSame = JSON.stringify(last?.registration) === JSON.stringify(registration);
  return last && isSame ? last : { key: crypto.randomUUID(), registration };
}

/** @param {Progress} progress */
function show({ step, text, failed = false }) {
  byId('status').textContent = text;
  byId('countdown').textContent = '';
  [...byId('steps').children].forEach((item, index) => {
    const isCurrent = index === step && text !== '';
    item.className = index < step ? 'done' : isCurrent && failed ? 'failed' : '';
    item.ariaCurrent = isCurrent ? 'step' : null;
  });
}

/** @param {boolean} isBusy */
function setBusy(isBusy) {
  // A field that is disabled, or a button that is hidden, would drop the focus.
  if (isBusy || document.activeElement === byId('stop')) byId('progress').focus();
  byId('fields').toggleAttribute('disabled', isBusy);
  byId('register').ariaDisabled = String(isBusy);
  byId('stop').hidden = !isBusy;
}

/** Shows each beside its field and moves the focus to the first. @param {readonly FieldError[]} errors */
function showErrors(errors) {
  for (const control of [...controls].reverse()) {
    const error = errors.find(({ field }) => field === control.name);
    if (!error) continue;
    // The API names the field; a person reads its label.
    const label = control.labels?.[0]?.textContent ?? '';
    showError(control, error.message.replace(new RegExp(`^${control.name}\\b`), label));
    control.focus();
  }
}

/** @param {Control} control @param {string} message */
function showError(control, message) {
  byId(`${control.name}-error`).textContent = message;
  control.setAttribute('aria-invalid', String(message !== ''));
}

/** @param {number} seconds @param {AbortSignal} signal */
async function countDown(seconds, signal) {
  const endsAt = Date.now() + seconds * 1000;
  for (let left = seconds; left > 0; left = Math.ceil((endsAt - Date.now()) / 1000)) {
    byId('countdown').textContent = `Next attempt in ${left} s`;
    await pause(1000, signal);
  }
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, ms);
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
