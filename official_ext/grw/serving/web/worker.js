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
 * Runs the model, so that the page stays smooth.
 *
 * It is told
 *
 *     {type: 'load', card, record}      once; the answer is {type: 'ready'}
 *     {type: 'reset', video}            another video begins, of this number
 *     {type: 'frame', bitmap, times}    a frame, and the seconds it stands for
 *
 * and answers each time of a frame with {type: 'answer', ...}, or with
 * {type: 'error', message}.  LiteRT.js loads its own script by importScripts,
 * which modules do not have: this is a classic worker.
 */

importScripts('preparation.js', 'trajectory.js');

const MODEL_FILE = 'model.tflite';
// A minute at 5 frames a second.
const TRAJECTORY_FRAMES = 300;

let litert;
let stream;
let preparation;
let trajectory;
let video;
let record;  // How many more frames are sent back with their pixels.
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext('2d', {willReadFrequently: true});

/** A model of one signature, fed frame by frame; states never leave it. */
class Stream {
  constructor(model) {
    this.model = model;
    this.inputs = model.getInputDetails();
    const names = this.inputs.map(({name}) => name);
    const outputs = model.getOutputDetails().map(({name}) => name);
    const missing = [
      ...['image'].filter((name) => !names.includes(name)),
      ...['logits', ...names].filter(
          (name) => name !== 'image' && !outputs.includes(name)),
    ];
    if (missing.length) {
      throw new Error(
          `${MODEL_FILE} lacks ${missing.join(', ')}: expected inputs image ` +
          'and states, outputs logits and the same states; export it again.');
    }
    this.image = this.inputs.find(({name}) => name === 'image');
    this.states = {};
    this.reset();
  }

  /** All states are zero at the start. */
  reset() {
    for (const state of Object.values(this.states)) state.delete();
    this.states = {};
    for (const {name, shape, dtype} of this.inputs) {
      if (name === 'image') continue;
      const size = shape.reduce((product, side) => product * side, 1);
      const zeros =
          dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
      this.states[name] = new litert.Tensor(zeros, shape);
    }
  }

  /**
   * Takes the next frame.
   *
   * @param {!Float32Array} image
   * @return {!Promise<!Object<string, !Float32Array>>} Outputs that are no
   *     states.
   */
  async step(image) {
    const input = new litert.Tensor(image, this.image.shape);
    const outputs = await this.model.run({image: input, ...this.states});
    input.delete();
    const values = {};
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name in this.states) {
        // What came out goes in with the next frame, and is not copied.
        this.states[name].delete();
        this.states[name] = tensor;
      } else {
        values[name] = tensor.toTypedArray();
        tensor.delete();
      }
    }
    return values;
  }
}

async function load(card) {
  preparation = new Preparation(card);
  // Its .wasm file is beside its script, and not beside this one.
  self.Module = {locateFile: (file) => `litert/wasm/${file}`};
  litert = await import('./litert/index.js');
  await litert.loadLiteRt('litert/wasm/');
  const response = await fetch(MODEL_FILE);
  if (!response.ok) {
    throw new Error(
        `${MODEL_FILE} is not there (${response.status}): copy the whole ` +
        'folder that was exported.');
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  stream = new Stream(
      await litert.loadAndCompile(bytes, {accelerator: 'wasm'}));
  const sides = Array.from(stream.image.shape).slice(2, 4);
  if (String(sides) !== String(card.resize.crop)) {
    throw new Error(
        `${MODEL_FILE} takes frames of ${sides.join(' x ')}, and ` +
        `model_card.json says ${card.resize.crop.join(' x ')}: export again.`);
  }
  // The first run is slow.
  const {height, width} = preparation;
  await stream.step(new Float32Array(height * width * 3));
  reset();
}

function reset() {
  stream.reset();
  trajectory = new Trajectory(TRAJECTORY_FRAMES);
}

function pixelsOf(bitmap) {
  const {width, height} = bitmap;
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

async function answer({bitmap, times}) {
  const start = performance.now();
  const {data, width, height} = pixelsOf(bitmap);
  const image = preparation.prepare(data, width, height);
  let prepared = performance.now() - start;
  for (const seconds of times) {
    const before = performance.now();
    const {logits, embedding, smoothness} = await stream.step(image);
    const message = {
      type: 'answer',
      video,
      seconds,
      logits,
      embedding,
      smoothness,
      preparationMs: prepared,
      modelMs: performance.now() - before,
    };
    if (embedding) {
      trajectory.add(embedding);
      message.points = trajectory.points();
      message.accelerationOverSpeed = trajectory.accelerationOverSpeed();
    }
    if (record > 0) {
      record -= 1;
      message.frame = {pixels: data.slice(), width, height};
    }
    postMessage(message);
    prepared = 0;
  }
}

// One after the other: a frame may come while the one before is computed.
let last = Promise.resolve();
self.onmessage = ({data}) => {
  last = last.then(async () => {
    try {
      if (data.type === 'load') {
        record = data.record;
        await load(data.card);
        postMessage({type: 'ready'});
      } else if (data.type === 'reset') {
        video = data.video;
        reset();
      } else {
        await answer(data);
      }
    } catch (error) {
      postMessage({type: 'error', message: String(error?.message ?? error)});
    }
  });
};
