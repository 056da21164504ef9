/* Sending files, one row each: small ones as they are, large ones in pieces that go on after
   whatever stopped them (tus 1.0: school/files/views/tus.py). Where files lie in a cloud that lets
   us, they go straight to it first (school/files/service/uploading/direct.py). Without script the
   form sends. */
(() => {
  "use strict";

  const { all, fill, say, sha256, token, typing } = window.schoolhouse;
  const MIB = 1024 * 1024;
  const LARGE = 8 * MIB;           // and no piece is larger
  const SMALLEST = MIB / 4;
  const AT_ONCE = 3;
  const LONGEST_WAIT_MS = 30000;
  const SILENCE_MS = 60000;
  const PROTOCOL = { "Tus-Resumable": "1.0.0" };
  const AGAIN = new Set([0, 409, 423, 460, 500, 502, 503, 504]);

  const wait = (ms, signal) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    const now = () => { clearTimeout(timer); done(); };
    window.addEventListener("online", now, { once: true });
    signal?.addEventListener("abort", now, { once: true });
  });

  /* One request. Never rejects: status 0 is a line that broke, or silence. */
  const ask = (method, url, { form, headers = {}, body = null, signal, sent = () => {}, patience = SILENCE_MS }) => new Promise((done) => {
    const request = new XMLHttpRequest();
    if (signal?.aborted) { done({ status: 0, told: {} }); return; }
    let silence;
    const listen = () => { clearTimeout(silence); silence = setTimeout(() => request.abort(), patience); };
    const end = () => {
      clearTimeout(silence);
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* not JSON: nothing was told */ }
      done({ status: request.status, told, header: (name) => request.getResponseHeader(name) });
    };
    request.upload.addEventListener("progress", (event) => { listen(); sent(event); });
    request.addEventListener("loadend", end);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.open(method, url);
    const csrf = token(form);
    const every = { Accept: "application/json", ...(csrf ? { "X-CSRFToken": csrf } : {}), ...headers };
    for (const [name, value] of Object.entries(every)) request.setRequestHeader(name, value);
    listen();
    request.send(body);
  });

  const inMb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  const newRow = (form) => form.querySelector("template").content.firstElementChild.cloneNode(true);
  const fits = (status) => status >= 200 && status < 300;

  /* What is told of a file to come, besides its bytes. */
  const aboutOf = (form, file) => {
    const about = { filename: file.name };
    for (const input of all("input[type=hidden][name], input[data-told]", form)) about[input.name] = input.value;
    Object.assign(about, JSON.parse(form.dataset.about));
    delete about.csrf_token;
    return Object.entries(about).filter(([, value]) => value);
  };

  const hash = async (blob) => {
    // Browsers hash on secure pages only; elsewhere the line's own checks have to do.
    if (!window.crypto?.subtle) return null;
    return new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  };
  const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  /* A file on its way in pieces, or, at the first try, past us. `tell(what, …)`: "sent" bytes,
     "away", "checking". */
  class Pieces {
    constructor(file, form, tell, place = null) {
      const { direct, directMost } = form.dataset;
      const straight = !place && file.size && file.size <= Number(directMost) ? direct : null;
      Object.assign(this, { file, form, place, straight, offset: 0, size: MIB, isSure: !place, isOld: Boolean(place) });
      this.tell = (...what) => { if (!this.signal.aborted) tell(...what); };
    }

    /* {good, text}; text is the school's reason, if it gave one. Null when stopped. */
    run(signal) {
      // What was stopped may still be at its last request.
      this.last = (this.last ?? Promise.resolve()).then(() => this.loop(signal));
      return this.last;
    }

    async loop(signal) {
      this.signal = signal;
      for (let tries = 0; !signal.aborted;) {
        const answer = await this.step();
        if (answer.done) return answer;
        if (answer.ok) { tries = 0; continue; }
        if (signal.aborted) break;
        const isStuck = answer.status >= 400 && answer.status < 500 && tries > 8;
        if (isStuck || !AGAIN.has(answer.status)) return { done: true, good: false, text: answer.told.detail };
        tries += 1;
        this.isSure = false;
        if (answer.status !== 409) this.tell("away");
        await wait(Math.min(500 * 2 ** tries, LONGEST_WAIT_MS), signal);
      }
      return null;
    }

    /* Once a piece has arrived it is worth a pause. */
    get canPause() { return !this.straight && !this.isStraight && this.file.size > LARGE; }

    step() {
      if (this.straight) return this.goStraight();
      if (this.isStraight) return this.finishStraight();
      if (!this.place) return this.begin();
      if (!this.isSure) return this.look();
      return this.offset < this.file.size ? this.send() : this.result();
    }

    ask(method, url, more = {}) { return ask(method, url, { form: this.form, signal: this.signal, ...more }); }

    /* All of it to the cloud, by a link. Whatever goes wrong, it comes in pieces instead. */
    async goStraight() {
      const address = this.straight;
      const link = await this.askForLink(address).catch(() => null);
      if (!link) { this.straight = null; return { ok: true }; }
      this.place = link.url;
      const { "Content-Length": _, ...headers } = link.send.headers;
      const answer = await ask(link.send.method, link.send.url, {
        headers, body: this.file, signal: this.signal, patience: 2 * SILENCE_MS,
        sent: (event) => this.tell("sent", Math.min(event.loaded, this.file.size)),
      });
      this.straight = null;
      if (fits(answer.status)) { this.isStraight = true; return { ok: true }; }
      return this.leaveStraight();
    }

    async askForLink(address) {
      const body = new FormData();
      for (const [name, value] of aboutOf(this.form, this.file)) body.append(name, value);
      body.append("size", this.file.size);
      body.append("sha256", await sha256(this.file, this.signal));
      const answer = await this.ask("POST", address, { body });
      return answer.status === 201 ? answer.told : null;
    }

    /* The room kept for it is given back, so that the pieces find it. */
    async leaveStraight() {
      if (this.signal.aborted) return { ok: true };
      this.isStraight = false;
      await this.end();
      return this.forget();
    }

    async finishStraight() {
      const answer = await this.ask("POST", `${this.place}/finish`, { patience: 3 * SILENCE_MS });
      if (fits(answer.status)) {
        Object.assign(this, { isStraight: false, offset: this.file.size });
        return { ok: true };
      }
      // It said it had come, and it has not.
      const isLost = answer.status >= 400 && answer.status < 500 && answer.status !== 423;
      return isLost ? this.leaveStraight() : answer;
    }

    async begin() {
      const coded = aboutOf(this.form, this.file)
        .map(([name, value]) => `${name} ${base64(new TextEncoder().encode(value))}`).join(",");
      const answer = await this.ask("POST", this.form.dataset.resumable, {
        headers: { ...PROTOCOL, "Upload-Length": this.file.size, "Upload-Metadata": coded },
      });
      // Somebody changed what it was to replace: trying again would not help.
      if (answer.status === 409) return { done: true, good: false, text: answer.told.detail };
      if (answer.status !== 201) return answer;
      Object.assign(this, { place: answer.header("Location"), offset: 0, isSure: true });
      return { ok: true };
    }

    /* How far it is, and, where another page sent the beginning, whether it is the same file. */
    async look() {
      const answer = await this.ask("GET", this.place);
      if (answer.status === 404 || answer.status === 410) return this.forget();
      if (answer.status !== 200) return answer;
      // Of what another page announced and nothing has come of, nothing is lost either.
      const isWorthless = answer.told.state === "open" && answer.told.offset_bytes === 0;
      if (this.isOld && (isWorthless || !(await this.isSame(answer.told.pieces)))) {
        await this.end();
        return this.forget();
      }
      Object.assign(this, { offset: answer.told.offset_bytes, isSure: true, isOld: false });
      this.tell("sent", this.offset);
      return { ok: true };
    }

    forget() {
      Object.assign(this, { place: null, isSure: true, isOld: false, isRefused: false, isStraight: false });
      return { ok: true };
    }

    async isSame(pieces) {
      for (const [start, size, checksum] of pieces) {
        const bytes = await hash(this.file.slice(start, start + size));
        if (bytes && hex(bytes) !== checksum) return false;
      }
      return true;
    }

    async send() {
      const start = this.offset;
      const piece = this.file.slice(start, start + this.size);
      const bytes = await hash(piece).catch(() => undefined);
      // The file was moved or changed on this device since it was chosen.
      if (bytes === undefined) return { done: true, good: false, text: this.form.dataset.wordsUnreadable };
      const began = performance.now();
      const answer = await this.ask("PATCH", this.place, {
        headers: {
          ...PROTOCOL, "Content-Type": "application/offset+octet-stream", "Upload-Offset": start,
          ...(bytes ? { "Upload-Checksum": `sha256 ${base64(bytes)}` } : {}),
        },
        body: piece,
        sent: (event) => this.tell("sent", start + Math.min(event.loaded, piece.size)),
      });
      if (answer.status === 410) return this.forget();
      if (answer.status !== 204) { this.size = Math.max(SMALLEST, this.size / 2); return answer; }
      // A piece that breaks off is sent anew: on a slow line they are small.
      const seconds = (performance.now() - began) / 1000;
      if (seconds < 3) this.size = Math.min(LARGE, this.size * 2);
      if (seconds > 15) this.size = Math.max(SMALLEST, this.size / 2);
      this.offset = Number(answer.header("Upload-Offset"));
      this.tell("sent", this.offset);
      return { ok: true };
    }

    async result() {
      const answer = await this.ask("GET", this.place);
      if (answer.status !== 200) return answer;
      const { state, detail } = answer.told;
      if (state === "open") return { status: 409, told: {} };
      if (state !== "finishing") {
        this.isRefused = state === "refused";
        return { done: true, good: state === "kept", text: detail };
      }
      this.tell("checking");
      this.pause = Math.min((this.pause ?? 250) * 1.5, 5000);
      await wait(this.pause, this.signal);
      return { ok: true };
    }

    end() { return this.place ? ask("DELETE", this.place, { form: this.form, headers: PROTOCOL }) : null; }
  }

  /* What became of one that another page sent. */
  const watch = async (form, url) => {
    for (;;) {
      const { status, told } = await ask("GET", url, { form });
      if (status === 200 && told.state !== "finishing") return told;
      if (status !== 200 && !AGAIN.has(status)) return {};
      await wait(2000);
    }
  };

  /* A small file in one request, like the form without script. */
  class Whole {
    constructor(file, form, tell) { Object.assign(this, { file, form, tell }); }

    get canPause() { return false; }

    async run(signal) {
      const { form, file } = this;
      const body = new FormData();
      for (const input of all("input[type=hidden]", form)) body.append(input.name, input.value);
      body.append(form.querySelector("input[type=file]").name, file, file.name);
      const answer = await ask("POST", form.action, {
        form, body, signal, patience: 3 * SILENCE_MS, sent: (event) => this.tell("sent", event.loaded / event.total * file.size),
      });
      if (signal.aborted) return null;
      const good = fits(answer.status);
      const words = form.dataset;
      const reason = { 0: words.wordsLost, 413: words.wordsLarge }[answer.status];
      return { good, text: good ? null : answer.told.detail ?? reason };
    }

    end() { return null; }
  }

  /* Whoever signed in again in another tab has another token since. */
  const takeFreshToken = async (form) => {
    try {
      const answer = await fetch(location.href);
      const fresh = token(new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (fresh) form.querySelector('[name="csrf_token"]').value = fresh;
    } catch { /* the school says what is wrong */ }
  };

  /* One row: what it shows, and its buttons. */
  class Row {
    constructor(form, row, file, place, slot) {
      Object.assign(this, { form, row, file, slot, words: form.dataset, stop: null, began: null, told: 0, isPaused: false });
      for (const name of ["says", "pause", "cancel", "again"]) this[name] = row.querySelector(`[data-${name}]`);
      this.bar = row.querySelector("progress");
      // What another page began goes on; it is asked for no room a second time.
      this.isBegun = Boolean(place);
      const tell = (what, value) => this.tell(what, value);
      this.inPieces = this.words.resumable && (file.size > LARGE || Boolean(this.words.direct) || form.hasAttribute("data-upload-one"));
      this.way = this.inPieces ? new Pieces(file, form, tell, place) : new Whole(file, form, tell);
      row.querySelector("[data-name]").textContent = file.name;
      this.bar.setAttribute("aria-label", file.name);
      this.setUpButtons();
      this.lineUp();
    }

    setUpButtons() {
      this.label(this.pause, this.words.wordsPause);
      this.label(this.cancel, this.cancel.getAttribute("aria-label"));
      this.label(this.again, this.again.textContent);
      this.pause.addEventListener("click", () => this.pauseOrResume());
      this.cancel.addEventListener("click", () => this.giveUp());
      this.again.addEventListener("click", () => this.sendAgain());
    }

    label(button, word) {
      if (button !== this.cancel) button.textContent = word;
      button.setAttribute("aria-label", `${word}: ${this.file.name}`);
    }

    show(text, percent = null) {
      this.says.textContent = text;
      if (percent !== null) this.bar.value = percent;
    }

    announce(text) { say(`${this.file.name}: ${text}`); }

    tell(what, value) {
      if (this.stop?.signal.aborted) return;
      if (what === "sent") { this.moved(value); return; }
      this.began = null;
      const text = what === "away" ? this.words.wordsAway : this.words.wordsChecking;
      if (this.says.textContent !== text) this.announce(text);
      this.show(text);
    }

    moved(bytes) {
      const { file, words } = this;
      this.began ??= { at: performance.now(), bytes };
      this.pause.hidden = !this.way.canPause;
      const percent = Math.floor(bytes / Math.max(file.size, 1) * 100);
      const parts = [`${percent}%`, fill(words.wordsOf, { sent: inMb(bytes), all: inMb(file.size) }), this.timeLeft(bytes)];
      this.show(parts.filter(Boolean).join(" · "), percent);
      const quarter = Math.floor(percent / 25);
      if (quarter <= this.told) return;
      this.told = quarter;
      say(fill(words.wordsSent, { name: file.name, p: quarter * 25 }));
    }

    timeLeft(bytes) {
      const { began, words } = this;
      const speed = (bytes - began.bytes) / Math.max(performance.now() - began.at, 1) * 1000;
      const seconds = speed > 0 ? Math.round((this.file.size - bytes) / speed) : 0;
      if (seconds > 90) return fill(words.wordsMinutes, { m: Math.round(seconds / 60) });
      return seconds > 2 ? fill(words.wordsLeft, { s: seconds }) : null;
    }

    lineUp() {
      this.says.classList.remove("err");
      this.bar.hidden = this.cancel.hidden = false;
      this.again.hidden = true;
      this.pause.hidden = !this.way.canPause;
      delete this.row.dataset.state;
      if (this.inPieces) this.way.isSure = !this.way.place;
      this.show(this.words.wordsWaiting);
      this.slot.queue(() => this.go());
    }

    async go() {
      if (this.lacksRoom()) { this.end(false, this.words.wordsRoom); return; }
      const mine = this.stop = new AbortController();
      this.began = null;
      const answer = await this.way.run(mine.signal);
      if (mine !== this.stop) return;
      this.stop = null;
      if (answer) this.end(answer.good, answer.good ? this.words.wordsDone : answer.text ?? this.words.wordsFailed);
    }

    /* Said before anything is sent, and once: asked again, the school looks anew. */
    lacksRoom() {
      if (this.wasRefused || this.isBegun || !(this.file.size > Number(this.words.left))) return false;
      this.wasRefused = true;
      return true;
    }

    end(good, text) {
      this.show(text);
      this.announce(text);
      this.says.classList.toggle("err", !good);
      this.bar.hidden = this.pause.hidden = this.cancel.hidden = true;
      this.again.hidden = good;
      this.row.dataset.state = good ? "done" : "failed";
      if (good && this.words.left) this.words.left -= this.file.size;
      this.slot.end(good);
    }

    halt() {
      this.slot.leave();
      this.stop?.abort();
      this.stop = null;
    }

    setPaused(isPaused) {
      this.isPaused = isPaused;
      this.label(this.pause, isPaused ? this.words.wordsResume : this.words.wordsPause);
    }

    pauseOrResume() {
      this.setPaused(!this.isPaused);
      if (!this.isPaused) { this.lineUp(); return; }
      this.halt();
      this.show(this.words.wordsPaused);
      this.announce(this.words.wordsPaused);
      this.slot.free();
    }

    giveUp() {
      this.halt();
      this.way.end();
      this.way.forget?.();
      if (this.isPaused) this.setPaused(false);
      this.end(false, this.words.wordsCancelled);
      this.again.focus();
    }

    async sendAgain() {
      await takeFreshToken(this.form);
      if (this.way.isRefused) { await this.way.end(); this.way.forget(); }
      this.lineUp();
      this.cancel.focus();
    }
  }

  /* One file that replaces another: sent with the form's button, its row in place of the button. */
  const setUpOne = (form) => {
    const field = form.querySelector("input[type=file]");
    const list = form.parentElement.querySelector("[data-uploads]");
    const button = form.querySelector("[type=submit]");
    const slot = {
      queue: (go) => { button.hidden = true; go(); },
      leave: () => {},
      free: () => {},
      end: (good) => {
        if (good) location.assign(form.dataset.done); else button.hidden = false;
      },
    };
    form.addEventListener("submit", (event) => {
      const [file] = field.files;
      if (!file) return;
      event.preventDefault();
      const row = newRow(form);
      const begun = unfinishedOf(list, file);
      list.replaceChildren(row);
      list.hidden = false;
      new Row(form, row, file, begun?.dataset.url, slot);
    });
    watchAll(form, list, () => location.assign(form.dataset.done));
  };

  /* The server drops characters nobody sees. */
  const bare = (name) => name.replace(/[\p{Cc}\p{Cf}]/gu, "");
  const unfinishedOf = (list, file) => all("[data-unfinished]", list)
    .find(({ dataset }) => bare(dataset.name) === bare(file.name) && Number(dataset.size) === file.size);

  /* What another page left: those being checked tell by themselves what became of them. */
  const watchAll = (form, list, kept) => {
    for (const row of all("[data-unfinished][data-checking]", list)) {
      watch(form, row.dataset.url).then(({ state, detail }) => {
        if (state === "kept") { row.dataset.state = "done"; kept(); return; }
        row.querySelector("[data-says]").textContent = detail ?? form.dataset.wordsFailed;
        row.querySelector("progress").hidden = true;
      });
    }
  };

  const setUp = (form) => {
    const field = form.querySelector("input[type=file]");
    const list = form.parentElement.querySelector("[data-uploads]");
    const queue = [];
    const busy = new Set();
    let went = 0;
    form.querySelector("[data-upload-send]").hidden = true;

    const tidy = () => { list.hidden = list.childElementCount === 0; };
    const refresh = () => {
      const id = `#${CSS.escape(form.dataset.uploadList)}`;
      window.htmx.ajax("GET", location.href, { target: id, select: id, swap: "outerHTML" });
      for (const row of all('[data-state="done"].up', list)) row.remove();
      tidy();
    };
    const work = () => {
      while (busy.size < AT_ONCE && queue.length) {
        const { slot, go } = queue.shift();
        busy.add(slot);
        go();
      }
      if (busy.size || !went || !form.dataset.uploadList) return;
      went = 0;
      refresh();
    };
    /* One of the places in which files are sent at the same time. */
    const newSlot = () => {
      const slot = {
        queue: (go) => { queue.push({ slot, go }); work(); },
        leave: () => queue.splice(0, queue.length, ...queue.filter((one) => one.slot !== slot)),
        free: () => { busy.delete(slot); work(); },
        end: (good) => { went += good; slot.free(); },
      };
      return slot;
    };
    const take = (files) => {
      for (const file of files) {
        const row = newRow(form);
        const begun = unfinishedOf(list, file);
        if (begun) begun.replaceWith(row); else list.append(row);
        new Row(form, row, file, begun?.dataset.url, newSlot());
      }
      tidy();
    };

    watchAll(form, list, refresh);
    takeChosen(form, field, take);
  };

  /* Files chosen, dropped or pasted: taken one by one where a list is shown, otherwise the form sends. */
  const takeChosen = (form, field, take) => {
    const hasList = form.hasAttribute("data-upload-list");
    const takeField = () => { take([...field.files]); field.value = ""; };
    field.addEventListener("change", () => { if (hasList) takeField(); else form.requestSubmit(); });
    // On a slow line somebody has chosen before this script came.
    if (hasList && field.files.length) takeField();
    for (const type of ["dragenter", "dragover"]) {
      form.addEventListener(type, (event) => { event.preventDefault(); form.classList.add("is-over"); });
    }
    form.addEventListener("dragleave", (event) => {
      if (!form.contains(event.relatedTarget)) form.classList.remove("is-over");
    });
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      form.classList.remove("is-over");
      if (!event.dataTransfer.files.length) return;
      if (hasList) { take([...event.dataTransfer.files]); return; }
      field.files = event.dataTransfer.files;
      form.requestSubmit();
    });
    document.addEventListener("paste", (event) => {
      const files = event.clipboardData?.files;
      if (files?.length && hasList && !typing(event.target)) take([...files]);
    });
  };

  const find = () => {
    for (const form of all("[data-upload]:not([data-ready])")) {
      form.dataset.ready = "";
      if (form.hasAttribute("data-upload-one")) setUpOne(form); else setUp(form);
    }
  };
  document.addEventListener("htmx:after:settle", find);
  find();
})();
