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
 * Frames as evaluation prepared them.
 *
 * The same arithmetic as inference/frame_preparation.py, in its order and its
 * precision: float32, by Math.fround, so that no pixel is rounded in another
 * way.
 */

const f32 = Math.fround;

/**
 * Pixels before and after each of `count`, and the weight of the one after.
 *
 * @param {number} length Pixels of the axis.
 * @param {number} count Pixels that the axis is resized to.
 */
function neighbors(length, count) {
  const before = new Int32Array(count);
  const after = new Int32Array(count);
  const weights = new Float32Array(count);
  const scale = f32(length / count);
  for (let i = 0; i < count; i++) {
    const position = f32(f32(f32(i + 0.5) * scale) - 0.5);
    const floor = Math.floor(position);
    before[i] = Math.max(floor, 0);
    after[i] = Math.min(Math.ceil(position), length - 1);
    weights[i] = f32(position - floor);
  }
  return {before, after, weights};
}

/**
 * Weights of an axis's pixels in an antialiased resize: for each of `count`
 * the first that counts, and the weights from it on.
 */
function averages(length, count) {
  const scale = length / count;
  const width = Math.max(scale, 1);
  const taps = [];
  for (let i = 0; i < count; i++) {
    const center = (i + 0.5) * scale - 0.5;
    const first = Math.max(Math.ceil(center - width), 0);
    const last = Math.min(Math.floor(center + width), length - 1);
    const weights = [];
    for (let j = first; j <= last; j++) {
      weights.push(Math.max(1 - Math.abs(j - center) / width, 0));
    }
    const sum = weights.reduce((total, weight) => total + weight);
    taps.push({first, weights: weights.map((weight) => f32(weight / sum))});
  }
  return taps;
}

/** How a whole frame becomes what a model takes: `resize` of its card. */
class Preparation {
  /** @param {object} card The model card. */
  constructor(card) {
    const {mode, size, crop, antialias} = card.resize;
    const known = {square: true, keep_aspect: false};
    if (!(mode in known) || !(size > 0) || !(crop?.length === 2)) {
      throw new Error(
          `model_card.json has resize=${JSON.stringify(card.resize)}: ` +
          'expected mode keep_aspect or square, size, crop [height, width].');
    }
    this.square = known[mode];
    this.size = size;
    [this.height, this.width] = crop;
    this.antialias = Boolean(antialias);
    this.zeroCentered = Math.min(...card.input.range) < 0;
    this.tables = null;
  }

  /**
   * What is computed once for all frames of a size.
   *
   * The middle of the resized frame is kept; where it is smaller than the
   * crop, it stands in a black one.
   */
  tablesOf(columns, rows) {
    if (this.tables?.columns === columns && this.tables?.rows === rows) {
      return this.tables;
    }
    let height = this.size;
    let width = this.size;
    if (!this.square) {
      height = Math.max(height, Math.floor(this.size * rows / columns));
      width = Math.max(width, Math.floor(this.size * columns / rows));
    }
    const part = (have, want) => ({
      // Of the resized frame, and of the crop.
      from: Math.floor(Math.max(have - want, 0) / 2),
      to: Math.floor(Math.max(want - have, 0) / 2),
      count: Math.min(have, want),
    });
    const same = height === rows && width === columns;
    this.tables = {
      columns,
      rows,
      same,
      vertical: part(height, this.height),
      horizontal: part(width, this.width),
      down: this.antialias ? averages(rows, height) : neighbors(rows, height),
      across: this.antialias ?
          averages(columns, width) : neighbors(columns, width),
    };
    return this.tables;
  }

  /**
   * @param {Uint8ClampedArray} pixels RGBA, row by row.
   * @param {number} columns
   * @param {number} rows
   * @return {!Float32Array} RGB [height, width, 3].
   */
  prepare(pixels, columns, rows) {
    const tables = this.tablesOf(columns, rows);
    const image = new Float32Array(this.height * this.width * 3);
    if (tables.same) {
      this.copy(pixels, image, tables);
    } else if (this.antialias) {
      this.average(pixels, image, tables);
    } else {
      this.interpolate(pixels, image, tables);
    }
    const scale = f32(2 / 255);
    for (let i = 0; i < image.length; i++) {
      image[i] = this.zeroCentered ? f32(image[i] * scale) - 1 : image[i] / 255;
    }
    return image;
  }

  copy(pixels, image, {columns, vertical, horizontal}) {
    for (let y = 0; y < vertical.count; y++) {
      let at = ((vertical.to + y) * this.width + horizontal.to) * 3;
      let from = ((vertical.from + y) * columns + horizontal.from) * 4;
      for (let x = 0; x < horizontal.count; x++, at += 3, from += 4) {
        image[at] = pixels[from];
        image[at + 1] = pixels[from + 1];
        image[at + 2] = pixels[from + 2];
      }
    }
  }

  /** Bilinear, with fractions cut off. */
  interpolate(pixels, image, {columns, vertical, horizontal, down, across}) {
    for (let y = 0; y < vertical.count; y++) {
      const row = vertical.from + y;
      const upper = down.before[row] * columns;
      const lower = down.after[row] * columns;
      const weight = down.weights[row];
      let at = ((vertical.to + y) * this.width + horizontal.to) * 3;
      for (let x = 0; x < horizontal.count; x++, at += 3) {
        const column = horizontal.from + x;
        const before = across.before[column];
        const after = across.after[column];
        const part = across.weights[column];
        for (let channel = 0; channel < 3; channel++) {
          let left = pixels[(upper + before) * 4 + channel];
          let right = pixels[(upper + after) * 4 + channel];
          const above = f32(left + f32(f32(right - left) * part));
          left = pixels[(lower + before) * 4 + channel];
          right = pixels[(lower + after) * 4 + channel];
          const below = f32(left + f32(f32(right - left) * part));
          image[at + channel] =
              Math.trunc(f32(above + f32(f32(below - above) * weight)));
        }
      }
    }
  }

  /** Bilinear, averaged over as many pixels as one of the result covers. */
  average(pixels, image, {columns, vertical, horizontal, down, across}) {
    const row = new Float32Array(columns * 3);
    for (let y = 0; y < vertical.count; y++) {
      const {first, weights} = down[vertical.from + y];
      for (let column = 0; column < columns; column++) {
        let red = 0;
        let green = 0;
        let blue = 0;
        let from = (first * columns + column) * 4;
        for (const weight of weights) {
          red += weight * pixels[from];
          green += weight * pixels[from + 1];
          blue += weight * pixels[from + 2];
          from += columns * 4;
        }
        row[column * 3] = red;
        row[column * 3 + 1] = green;
        row[column * 3 + 2] = blue;
      }
      let at = ((vertical.to + y) * this.width + horizontal.to) * 3;
      for (let x = 0; x < horizontal.count; x++, at += 3) {
        const tap = across[horizontal.from + x];
        for (let channel = 0; channel < 3; channel++) {
          let sum = 0;
          for (let i = 0; i < tap.weights.length; i++) {
            sum += tap.weights[i] * row[(tap.first + i) * 3 + channel];
          }
          image[at + channel] = sum;
        }
      }
    }
  }
}
