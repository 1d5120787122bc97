/*
 * Copyright 2026 The GRW-smoothing Authors. All Rights Reserved.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

'use strict';

/*
 * Takes frames of a camera or a file at the rate that the model card says, has
 * worker.js answer them, and shows the answers.
 *
 * For checks from outside, each answer is also an event `answer` of the window;
 * with ?record=N in the address, those of the first N frames hold the pixels.
 */

const CARD_FILE = 'model_card.json';
const START = 'Start the camera, or drop a video file here.';
const TOP = 5;
const TIMELINE_SECONDS = 60;
// From this probability on, one of several labels is said to be there.
const THRESHOLD = 0.5;
// Frames that wait for the worker before a file is paused.
const MOST_WAITING = 2;
const MOST_UNREAD = 50;

const element = (id) => document.getElementById(id);
const video = element('video');

/** What is said to the user in place of a stack trace. */
class Problem extends Error {}

function say(text) {
  element('message').textContent = text;
  element('message').hidden = !text;
}

function hint(text) {
  element('hint').textContent = text;
  element('hint').hidden = !text;
}

/* The model. */

async function read(file) {
  let response;
  try {
    response = await fetch(file);
  } catch (error) {
    throw new Problem(
        `${file} cannot be fetched (${error.message}): is the server still ` +
        'running?');
  }
  if (!response.ok) {
    throw new Problem(
        `${file} is not beside this page (${response.status}): sizes, rate ` +
        'and labels are from it. Copy the whole folder that ' +
        '`grw export web` wrote.');
  }
  return response.text();
}

async function readCard() {
  const text = await read(CARD_FILE);
  let card;
  try {
    card = JSON.parse(text);
  } catch (error) {
    throw new Problem(
        `${CARD_FILE} is no JSON (${error.message}): export the model again.`);
  }
  if (card.kind !== 'stream' || !(card.frames_per_second > 0)) {
    throw new Problem(
        `${CARD_FILE} has kind=${card.kind} and frames_per_second=` +
        `${card.frames_per_second}: expected a stream and a rate above 0. ` +
        'Export the model again with `grw export web`.');
  }
  const labels = (await read(card.labels)).trimEnd().split('\n');
  if (labels.length !== card.num_classes) {
    throw new Problem(
        `${card.labels} has ${labels.length} lines, and ${CARD_FILE} says ` +
        `num_classes=${card.num_classes}: export the model again.`);
  }
  return {card, labels};
}

function requireBrowser() {
  if (location.protocol === 'file:') {
    throw new Problem(
        'Browsers do not run models from a file. Serve the folder, for ' +
        'example by `python3 -m http.server --bind 127.0.0.1`, and open ' +
        'http://127.0.0.1:8000.');
  }
  if (typeof WebAssembly === 'undefined') {
    throw new Problem(
        'WebAssembly is switched off in this browser, and the model runs in ' +
        'it. Switch it on for this page (on iPhones: leave Lockdown Mode for ' +
        'it; in Firefox: javascript.options.wasm), or take another browser.');
  }
  if (typeof OffscreenCanvas === 'undefined') {
    throw new Problem(
        'This browser has no OffscreenCanvas, by which the model gets its ' +
        'frames: update it, or take another.');
  }
}

let card;
let labels;
let worker;
let source = null;  // What is being watched.
let numSources = 0;

async function open() {
  requireBrowser();
  ({card, labels} = await readCard());
  element('name').textContent = document.title = card.name;
  const [height, width] = card.resize.crop;
  element('facts').textContent =
    `${labels.length} classes · ${width} × ${height} pixels · ` +
    `${card.frames_per_second} frames a second · ${card.quantization}`;
  worker = new Worker('worker.js');
  const ready = new Promise((resolve, reject) => {
    worker.onmessage = ({data}) => {
      if (data.type === 'ready') resolve();
      else reject(new Problem(`The model cannot be opened. ${data.message}`));
    };
    worker.onerror = ({message}) => reject(new Problem(
        `The model cannot be opened. ${message ?? 'worker.js is gone.'}`));
  });
  const record = Number(new URLSearchParams(location.search).get('record'));
  worker.postMessage({type: 'load', card, record});
  await ready;
  worker.onmessage = ({data}) => {
    if (data.type === 'answer') show(data);
    else fail(new Problem(`The model stopped. ${data.message}`));
  };
  for (const id of ['camera', 'file']) element(id).disabled = false;
  element('choose').removeAttribute('aria-disabled');
  hint(START);
}

function fail(error) {
  stop();
  hint(element('camera').disabled ? '' : START);
  say(error instanceof Problem ? error.message : `Unexpected: ${error}`);
  if (!(error instanceof Problem)) console.error(error);
}

/* Frames. */

/** Calls back with the media time of each frame that is shown. */
function eachFrame(callback) {
  if ('requestVideoFrameCallback' in video) {
    const handle = video.requestVideoFrameCallback(
        (now, {mediaTime}) => callback(mediaTime, now));
    return () => video.cancelVideoFrameCallback(handle);
  }
  const handle = requestAnimationFrame(
      (now) => callback(video.currentTime, now));
  return () => cancelAnimationFrame(handle);
}

/** Plays; that it is paused or stopped meanwhile is no error. */
async function play() {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}

/** What frames come from: a camera, or a file. */
class Source {
  constructor() {
    this.number = ++numSources;
    this.rate = card.frames_per_second;
    this.tick = 0;  // The next.
    this.waiting = 0;  // Frames that the worker has not answered.
    this.lost = 0;
    this.unread = 0;  // Frames in a row.
    this.answered = [];  // When, for the rate.
    this.cancel = () => {};
  }

  /** @param {!Array<number>} times Seconds that a picture stands for. */
  send(bitmap, times) {
    this.waiting += times.length;
    worker.postMessage({type: 'frame', bitmap, times}, [bitmap]);
  }

  answer() {
    this.waiting -= 1;
  }

  /** The picture that is shown, or null where the browser cannot read it. */
  async picture() {
    try {
      const bitmap = await createImageBitmap(video);
      this.unread = 0;
      return bitmap;
    } catch (error) {
      // A busy browser announces frames that it does not have.
      if (error.name !== 'InvalidStateError') throw error;
      this.unread += 1;
      if (this.unread >= MOST_UNREAD) {
        throw new Problem(
            `The browser could not read ${MOST_UNREAD} frames in a row ` +
            `(${error.message}). Close other programs and start again, or ` +
            'use another browser.');
      }
      return null;
    }
  }

  listen() {
    this.cancel = eachFrame((mediaTime, now) => {
      if (source !== this) return;
      this.take(mediaTime, now).catch(fail);
      this.listen();
    });
  }

  close() {
    this.cancel();
    video.pause();
  }
}

/**
 * The first frame at or after each tick.  Ticks at which the worker is busy
 * are lost, so that what is seen is always the present; so are those whose
 * frame cannot be read.
 */
class Camera extends Source {
  constructor(stream) {
    super();
    this.stream = stream;
    this.start = null;
  }

  async take(mediaTime, now) {
    this.start ??= now;
    const tick = Math.floor((now - this.start) / 1000 * this.rate);
    if (tick < this.tick || this.waiting) return;
    this.lost += tick - this.tick;
    this.tick = tick + 1;
    this.waiting += 1;
    const bitmap = await this.picture();
    this.waiting -= 1;
    if (bitmap) {
      this.send(bitmap, [tick / this.rate]);
    } else {
      this.lost += 1;
    }
  }

  close() {
    super.close();
    for (const track of this.stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

/**
 * At each tick the frame that is shown then, which is known when the next one
 * comes.  No tick is lost: the file waits for the worker.
 */
class VideoFile extends Source {
  constructor(url) {
    super();
    this.url = url;
    this.first = null;
    this.held = null;
    this.shown = Promise.resolve();
    this.pausedForWorker = false;
  }

  take(mediaTime) {
    // Taken now, and waited for in the order of frames.
    const picture = this.picture();
    this.shown = this.shown.then(async () => {
      const bitmap = await picture;
      // The frame before it stands for one that cannot be read.
      if (!bitmap) {
        this.lost += 1;
        return;
      }
      if (source !== this) return bitmap.close();
      this.first ??= mediaTime;
      this.finishHeld(mediaTime - this.first);
      this.held = bitmap;
    });
    return this.shown;
  }

  /** Sends the frame that was shown until now for its ticks. */
  finishHeld(end) {
    const times = [];
    while (this.held && this.tick / this.rate < end - 1e-6) {
      times.push(this.tick / this.rate);
      this.tick += 1;
    }
    if (times.length) this.send(this.held, times);
    else this.held?.close();
    this.held = null;
    if (this.waiting > MOST_WAITING && !video.ended) {
      this.pausedForWorker = true;
      video.pause();
    }
  }

  answer() {
    super.answer();
    if (this.pausedForWorker && this.waiting < MOST_WAITING) {
      this.pausedForWorker = false;
      play().catch(fail);
    }
  }

  /** The last frame is shown for its own duration; the first at least once. */
  async end() {
    await this.shown;
    // Not the duration, which a recording of a browser may not know.
    const end = video.currentTime - (this.first ?? 0);
    this.finishHeld(Math.max(end, this.tick ? 0 : 1 / this.rate));
  }

  close() {
    super.close();
    this.held?.close();
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(this.url);
  }
}

function stop() {
  const was = source;
  source = null;
  was?.close();
  element('stop').disabled = true;
  element('status').textContent = '';
}

function watch(next, text) {
  answers = [];
  colors = new Map();
  times = [];
  worker.postMessage({type: 'reset', video: next.number});
  source = next;
  next.listen();
  say('');
  hint('');
  element('stop').disabled = false;
  element('status').textContent = text;
}

const CAMERA_PROBLEMS = {
  NotAllowedError:
    'The camera was not allowed. Allow it for this page, by the sign beside ' +
    'the address, and start it again; or choose a video file.',
  NotFoundError:
    'There is no camera. Connect one and start it again, or choose a video ' +
    'file.',
  NotReadableError:
    'The camera cannot be read. Close other programs that use it and start ' +
    'it again, or choose a video file.',
};

async function startCamera() {
  stop();
  say('');
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem(
        'Browsers give cameras only to pages from https: or from this very ' +
        'machine. Serve the folder with https, open it as ' +
        'http://127.0.0.1:PORT, or choose a video file.');
  }
  hint('Waiting for the camera …');
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia(
        {video: {facingMode: {ideal: 'environment'}}, audio: false});
  } catch (error) {
    throw new Problem(
        CAMERA_PROBLEMS[error.name] ??
        `The camera does not start (${error.name}: ${error.message}). Choose ` +
        'a video file.');
  }
  stream.getVideoTracks()[0].onended = () => fail(new Problem(
      'The camera gives no more frames. Connect it and start it again.'));
  video.srcObject = stream;
  watch(new Camera(stream), 'camera');
  await play();
}

async function startFile(file) {
  stop();
  const url = URL.createObjectURL(file);
  const loaded = new Promise((resolve, reject) => {
    const cannot = (reason) => reject(new Problem(
        `This browser cannot play ${file.name} (${reason}). Convert it, for ` +
        `example by \`ffmpeg -i ${file.name} -c:v libx264 -pix_fmt yuv420p ` +
        'video.mp4`, or choose another.'));
    video.onloadeddata = () =>
      video.videoWidth ? resolve() : cannot('it has no pictures');
    video.onerror = () => cannot(video.error?.message || 'unknown format');
  });
  const next = new VideoFile(url);
  // Before it is loaded, or the first frame may be shown unheard.
  watch(next, file.name);
  video.src = url;
  video.load();
  await loaded;
  if (source !== next) return;
  video.onerror = () => {
    if (source === next) {
      fail(new Problem(
          `${file.name} breaks off (${video.error?.message}). It may be ` +
          'truncated: copy it again.'));
    }
  };
  video.onended = () => {
    if (source !== next) return;
    next.end().catch(fail);
    element('status').textContent = `${file.name}, at its end`;
  };
  await play();
}

/* Answers. */

let answers = [];
let colors = new Map();
let times = [];
let draw = () => {
  drawTimeline(element('timeline'), [], [], TIMELINE_SECONDS);
  drawPath(element('trajectory'), []);
};

function probabilitiesOf(logits) {
  if (card.multi_label) return logits.map((x) => 1 / (1 + Math.exp(-x)));
  const groups = Object.values(card.label_groups || {});
  if (!groups.length) return softmax(logits);
  return groups.flatMap(
      ([first, stop]) => Array.from(softmax(logits.slice(first, stop))));
}

function softmax(logits) {
  const greatest = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - greatest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** A color for each of the first classes: its last one, if that is free. */
function colored(top) {
  const taken = new Set();
  const keeps = top.filter((number) => {
    const color = colors.get(number);
    return color && !taken.has(color) && taken.add(color);
  });
  for (const number of top) {
    if (keeps.includes(number)) continue;
    const color = COLORS.find((free) => !taken.has(free));
    taken.add(color);
    colors.set(number, color);
  }
  return top.map((number) => ({number, color: colors.get(number)}));
}

const median = (values) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function show(message) {
  window.dispatchEvent(new CustomEvent('answer', {detail: message}));
  // It may be of the video before.
  if (source?.number !== message.video) return;
  source.answer();
  const probabilities = probabilitiesOf(message.logits);
  answers.push({seconds: message.seconds, probabilities});
  if (answers[0].seconds < message.seconds - TIMELINE_SECONDS - 1) {
    answers.shift();
  }
  const top = Array.from(probabilities.keys())
      .sort((a, b) => probabilities[b] - probabilities[a]).slice(0, TOP);
  const classes = colored(top);
  showBars(classes, probabilities);
  const ratio = message.accelerationOverSpeed;
  element('ratio').textContent =
    Number.isFinite(ratio) ? ratio.toFixed(2) : '–';
  element('no-path').hidden = Boolean(message.points);
  for (const id of ['smoothness', 'plot']) {
    element(id).hidden = !message.points;
  }
  draw = () => {
    drawTimeline(element('timeline'), answers, classes, TIMELINE_SECONDS);
    if (message.points) drawPath(element('trajectory'), message.points);
  };
  draw();
  showNumbers(message);
}

function showBars(classes, probabilities) {
  const list = element('answers');
  while (list.children.length < classes.length) {
    const row = document.createElement('li');
    for (const name of ['label', 'percent', 'track']) {
      row.append(Object.assign(
          document.createElement('div'), {className: name}));
    }
    row.lastChild.append(Object.assign(
        document.createElement('div'), {className: 'bar'}));
    list.append(row);
  }
  classes.forEach(({number, color}, place) => {
    const [label, percent, track] = list.children[place].children;
    const probability = probabilities[number];
    label.textContent = label.title = labels[number];
    label.classList.toggle(
        'absent', card.multi_label && probability < THRESHOLD);
    percent.textContent = `${(100 * probability).toFixed(1)}%`;
    track.firstChild.style.width = `${100 * probability}%`;
    track.firstChild.style.background = color;
  });
}

function showNumbers({preparationMs, modelMs}) {
  times.push([preparationMs, modelMs]);
  if (times.length > 25) times.shift();
  const [preparation, model] =
    [0, 1].map((part) => median(times.map((both) => both[part])));
  const cell = element('milliseconds');
  cell.textContent = `${(preparation + model).toFixed(1)} ms`;
  cell.append(Object.assign(document.createElement('small'), {
    textContent:
      `model ${model.toFixed(1)}, preparing ${preparation.toFixed(1)}`,
  }));
  source.answered.push(performance.now());
  if (source.answered.length > 25) source.answered.shift();
  const [first, last] = [source.answered[0], source.answered.at(-1)];
  if (last > first) {
    const rate = 1000 * (source.answered.length - 1) / (last - first);
    element('rate').textContent = rate.toFixed(1);
    element('rate').append(Object.assign(document.createElement('small'), {
      textContent: `of ${source.rate}`,
    }));
  }
  element('lost').textContent = source.lost;
  element('lost').append(Object.assign(document.createElement('small'), {
    textContent: 'for want of time',
  }));
}

/* Controls. */

element('camera').onclick = () => startCamera().catch(fail);
element('stop').onclick = () => {
  stop();
  hint(START);
};
element('file').onchange = ({target}) => {
  if (target.files.length) startFile(target.files[0]).catch(fail);
  target.value = '';  // So that the same file can be chosen again.
};
const stage = element('stage');
document.ondragover = (event) => {
  event.preventDefault();
  stage.classList.toggle('dropping', !element('file').disabled);
};
document.ondragleave = () => stage.classList.remove('dropping');
document.ondrop = (event) => {
  event.preventDefault();
  stage.classList.remove('dropping');
  const [file] = event.dataTransfer.files;
  if (file && !element('file').disabled) startFile(file).catch(fail);
};

draw();
new ResizeObserver(() => draw()).observe(document.body);
open().catch(fail);
