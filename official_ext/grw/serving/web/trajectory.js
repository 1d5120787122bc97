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

const dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

const lengthOf = (vector) => Math.sqrt(dot(vector, vector));

const difference = (a, b) => a.map((value, i) => value - b[i]);

// Steps of a drawing: a few where the one before is recent.
const MOST_STEPS = 20;
// One less the cosine of the angle between an axis and the one before.
const TURNED = 5e-7;

const mean = (values) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The path of the embeddings of the last frames, on its first two principal
 * components, and how smooth it is (Goldman et al., NeurIPS 2025, Figure 2).
 */
class Trajectory {
  /** @param {number} limit Frames to keep. */
  constructor(limit) {
    this.limit = limit;
    this.embeddings = [];
    this.velocity = null;
    // Lengths of the steps between kept frames, and of how steps change.
    this.speeds = [];
    this.accelerations = [];
    // They are kept from drawing to drawing: few steps make them follow the
    // path, and the picture does not flip.
    this.axes = null;
  }

  add(values) {
    const embedding = Float64Array.from(values);
    const before = this.embeddings.at(-1);
    if (before) {
      const velocity = difference(embedding, before);
      this.speeds.push(lengthOf(velocity));
      if (this.velocity) {
        this.accelerations.push(lengthOf(difference(velocity, this.velocity)));
      }
      this.velocity = velocity;
    }
    this.embeddings.push(embedding);
    if (this.embeddings.length > this.limit) {
      this.embeddings.shift();
      this.speeds.shift();
      this.accelerations.shift();
    }
  }

  /**
   * Mean length of accelerations over that of velocities: 0 for frames that go
   * on in equal steps, the square root of 3 for frames that have nothing to do
   * with each other.  Not a number for fewer than three frames.
   */
  accelerationOverSpeed() {
    return mean(this.accelerations) / mean(this.speeds);
  }

  /**
   * @return {!Float32Array} Where each frame stands: x, y of the first, of the
   *     second, and so on.
   */
  points() {
    const count = this.embeddings.length;
    const size = this.embeddings[0].length;
    const center = new Float64Array(size);
    for (const row of this.embeddings) {
      for (let i = 0; i < size; i++) center[i] += row[i] / count;
    }
    const rows = this.embeddings.map((row) => difference(row, center));
    this.axes ??= firstAxes(size);
    for (let step = 0; step < MOST_STEPS && this.iterate(rows); step++);
    return this.turned(rows);
  }

  /**
   * A step of orthogonal iteration with the covariance of the rows.
   *
   * @return {boolean} Whether it turned an axis, by more than about 1/1000.
   */
  iterate(rows) {
    const [first, second] = this.axes.map((axis) => {
      const sum = new Float64Array(axis.length);
      for (const row of rows) {
        const along = dot(row, axis);
        for (let i = 0; i < sum.length; i++) sum[i] += along * row[i];
      }
      return sum;
    });
    const length = lengthOf(first);
    if (!length) return false;  // All frames are at one place.
    for (let i = 0; i < first.length; i++) first[i] /= length;
    const before = this.axes;
    this.axes = [first, before[1]];
    const whole = lengthOf(second);
    const along = dot(second, first);
    for (let i = 0; i < first.length; i++) second[i] -= along * first[i];
    const rest = lengthOf(second);
    // Where the path is straight, nothing is left of the second.
    if (rest > 1e-9 * whole) {
      this.axes[1] = second.map((value) => value / rest);
    }
    return this.axes.some((axis, i) => 1 - dot(axis, before[i]) > TURNED);
  }

  /** Turns the axes to the components in their plane; what `points` returns. */
  turned(rows) {
    const points = new Float32Array(2 * rows.length);
    let [xx, xy, yy] = [0, 0, 0];
    rows.forEach((row, t) => {
      const x = points[2 * t] = dot(row, this.axes[0]);
      const y = points[2 * t + 1] = dot(row, this.axes[1]);
      xx += x * x;
      xy += x * y;
      yy += y * y;
    });
    const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    const [first, second] = this.axes;
    this.axes = [
      first.map((value, i) => cosine * value + sine * second[i]),
      second.map((value, i) => cosine * value - sine * first[i]),
    ];
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [points[i], points[i + 1]];
      points[i] = cosine * x + sine * y;
      points[i + 1] = cosine * y - sine * x;
    }
    return points;
  }
}

/** Two directions that no path is perpendicular to but by chance. */
function firstAxes(size) {
  return [1, 2].map((seed) => {
    const axis = Float64Array.from(
        {length: size}, (_, i) => Math.sin(seed * (i + 1) * 12.9898));
    const length = lengthOf(axis);
    return axis.map((value) => value / length);
  });
}
