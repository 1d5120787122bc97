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

const normalize = (vector) => {
  const length = Math.sqrt(dot(vector, vector));
  if (!length) return false;
  for (let i = 0; i < vector.length; i++) vector[i] /= length;
  return true;
};

/**
 * The path of the embeddings of the last frames, on its first two principal
 * components, and how smooth it is (Goldman et al., NeurIPS 2025, Figure 2).
 */
class Trajectory {
  /** @param {number} limit Frames to keep. */
  constructor(limit) {
    this.limit = limit;
    this.embeddings = [];
    // They are kept from frame to frame: few steps make them follow the path,
    // and the picture does not flip.
    this.axes = null;
  }

  add(embedding) {
    this.embeddings.push(Float64Array.from(embedding));
    if (this.embeddings.length > this.limit) this.embeddings.shift();
  }

  /**
   * @return {!Float32Array} Where each frame stands: x, y of the first, of the
   *     second, and so on.
   */
  points() {
    const count = this.embeddings.length;
    const size = this.embeddings[0].length;
    const mean = new Float64Array(size);
    for (const row of this.embeddings) {
      for (let i = 0; i < size; i++) mean[i] += row[i] / count;
    }
    const centered = this.embeddings.map(
        (row) => row.map((value, i) => value - mean[i]));
    if (!this.axes) this.axes = this.firstAxes(size);
    for (let step = 0; step < 6; step++) this.iterate(centered);
    this.turn(centered);
    const points = new Float32Array(2 * count);
    centered.forEach((row, i) => {
      points[2 * i] = dot(row, this.axes[0]);
      points[2 * i + 1] = dot(row, this.axes[1]);
    });
    return points;
  }

  /** Two directions that no embedding is perpendicular to by chance. */
  firstAxes(size) {
    const axes = [1, 2].map((seed) => Float64Array.from(
        {length: size}, (_, i) => Math.sin(seed * (i + 1) * 12.9898)));
    axes.forEach(normalize);
    return axes;
  }

  /** A step of orthogonal iteration with the covariance of the rows. */
  iterate(rows) {
    const next = this.axes.map((axis) => {
      const sum = new Float64Array(axis.length);
      for (const row of rows) {
        const along = dot(row, axis);
        for (let i = 0; i < sum.length; i++) sum[i] += along * row[i];
      }
      return sum;
    });
    if (!normalize(next[0])) return;  // All frames are at one place.
    this.axes[0] = next[0];
    // Where the path is straight, nothing is left of the second.
    const second = next[1];
    const before = Math.sqrt(dot(second, second));
    const along = dot(second, next[0]);
    for (let i = 0; i < second.length; i++) second[i] -= along * next[0][i];
    if (Math.sqrt(dot(second, second)) > 1e-9 * before) {
      normalize(second);
      this.axes[1] = second;
    }
  }

  /** Turns the axes within their plane to the components, larger first. */
  turn(rows) {
    let xx = 0;
    let xy = 0;
    let yy = 0;
    for (const row of rows) {
      const x = dot(row, this.axes[0]);
      const y = dot(row, this.axes[1]);
      xx += x * x;
      xy += x * y;
      yy += y * y;
    }
    const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    const [first, second] = this.axes;
    this.axes = [
      first.map((value, i) => cosine * value + sine * second[i]),
      second.map((value, i) => cosine * value - sine * first[i]),
    ];
  }

  /**
   * Mean length of accelerations over that of velocities: 0 for frames that go
   * on in equal steps, the square root of 3 for frames that have nothing to do
   * with each other.  Not a number for fewer than three frames.
   */
  accelerationOverSpeed() {
    const mean = (lengths) =>
      lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    const steps = (rows) => rows.slice(1).map(
        (row, t) => row.map((value, i) => value - rows[t][i]));
    const length = (row) => Math.sqrt(dot(row, row));
    const velocities = steps(this.embeddings);
    return mean(steps(velocities).map(length)) / mean(velocities.map(length));
  }
}
