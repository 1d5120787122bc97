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

/* What the page draws: probabilities over time, and a path in the plane. */

// Told apart by most people who see colors in another way (Okabe and Ito).
const COLORS = [
  '#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#8c6bb1',
  '#9a8c00',
];

/** The context of a canvas, cleared, in which a unit is a pixel of the page. */
function cleared(canvas) {
  const {clientWidth: width, clientHeight: height} = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.font = '12px system-ui, sans-serif';
  return {context, width, height};
}

const styled = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name);

/**
 * Draws probabilities over time; an answer holds until the next.
 *
 * @param {!HTMLCanvasElement} canvas
 * @param {!Array<{seconds: number, probabilities: !Float32Array}>} answers
 * @param {!Array<{number: number, color: string}>} classes
 * @param {number} most How many seconds are shown at most.
 */
function drawTimeline(canvas, answers, classes, most) {
  const {context, width, height} = cleared(canvas);
  const [left, right, top, bottom] = [40, width - 6, 7, height - 18];
  const end = answers.length ? answers[answers.length - 1].seconds : 0;
  const start = Math.max(end - most, 0);
  const span = Math.min(Math.max(end, most / 4), most);
  const x = (seconds) =>
    left + (right - left) * Math.max(seconds - start, 0) / span;
  const y = (probability) => bottom - (bottom - top) * probability;

  context.fillStyle = styled('--soft');
  context.strokeStyle = styled('--line');
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const part of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(left, y(part));
    context.lineTo(right, y(part));
    context.stroke();
    context.fillText(`${100 * part}%`, left - 5, y(part));
  }
  context.textAlign = 'center';
  context.textBaseline = 'bottom';
  const step = span > 30 ? 10 : 5;
  for (let s = Math.ceil(start / step) * step; s <= start + span; s += step) {
    const at = Math.min(Math.max(x(s), left + 8), right - 10);
    context.fillText(`${s} s`, at, height);
  }

  const shown = answers.filter(({seconds}) => seconds >= start);
  context.lineWidth = 2;
  context.lineJoin = 'round';
  for (const {number, color} of classes) {
    context.beginPath();
    shown.forEach(({seconds, probabilities}, i) => {
      const at = y(probabilities[number]);
      if (i) context.lineTo(x(seconds), y(shown[i - 1].probabilities[number]));
      context.lineTo(x(seconds), at);
    });
    context.strokeStyle = color;
    context.stroke();
    if (shown.length) {
      const last = shown[shown.length - 1];
      context.beginPath();
      context.arc(
          x(last.seconds), y(last.probabilities[number]), 3, 0, 2 * Math.PI);
      context.fillStyle = color;
      context.fill();
    }
  }
}

/**
 * Draws a path, pale where it is old, with both axes alike.
 *
 * @param {!HTMLCanvasElement} canvas
 * @param {!Float32Array} points x, y of each frame.
 */
function drawPath(canvas, points) {
  const {context, width, height} = cleared(canvas);
  const count = points.length / 2;
  context.fillStyle = styled('--soft');
  context.textBaseline = 'bottom';
  context.fillText('first component →', 4, height);
  context.save();
  context.rotate(-Math.PI / 2);
  context.textBaseline = 'top';
  context.fillText('second component →', 22 - height, 0);
  context.restore();
  if (!count) return;

  const xs = points.filter((_, i) => i % 2 === 0);
  const ys = points.filter((_, i) => i % 2 === 1);
  const least = [Math.min(...xs), Math.min(...ys)];
  const most = [Math.max(...xs), Math.max(...ys)];
  const margin = 26;
  const scale = Math.min(
      (width - 2 * margin) / Math.max(most[0] - least[0], 1e-9),
      (height - 2 * margin) / Math.max(most[1] - least[1], 1e-9));
  const x = (i) =>
    width / 2 + scale * (xs[i] - (least[0] + most[0]) / 2);
  const y = (i) =>
    height / 2 - scale * (ys[i] - (least[1] + most[1]) / 2);

  context.lineWidth = 2;
  context.lineCap = 'round';
  context.strokeStyle = context.fillStyle = styled('--accent');
  for (let i = 0; i < count; i++) {
    context.globalAlpha = 0.15 + 0.85 * ((i + 1) / count) ** 2;
    if (i) {
      context.beginPath();
      context.moveTo(x(i - 1), y(i - 1));
      context.lineTo(x(i), y(i));
      context.stroke();
    }
    context.beginPath();
    context.arc(x(i), y(i), 2.5, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(x(count - 1), y(count - 1), 7, 0, 2 * Math.PI);
  context.fill();
  context.lineWidth = 3;
  context.strokeStyle = styled('--card');
  context.stroke();
}
