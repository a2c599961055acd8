// A worker that enlarges by bicubic interpolation (Keys, a = -0.5), which browsers themselves do not:
// what they call smooth is bilinear. Takes {bitmap, width, height}, gives an ImageBitmap back.

const A = -0.5;

function weight(distance) {
  const x = Math.abs(distance);
  if (x <= 1) return (A + 2) * x ** 3 - (A + 3) * x ** 2 + 1;
  if (x < 2) return A * x ** 3 - 5 * A * x ** 2 + 8 * A * x - 4 * A;
  return 0;
}

// Four places and weights for each of `to` samples along an axis of `from`; borders are repeated.
function taps(from, to) {
  const places = new Int32Array(4 * to), weights = new Float32Array(4 * to);
  for (let i = 0; i < to; i += 1) {
    const at = (i + 0.5) * from / to - 0.5;
    const first = Math.floor(at) - 1;
    let sum = 0;
    for (let k = 0; k < 4; k += 1) {
      places[4 * i + k] = Math.min(from - 1, Math.max(0, first + k));
      weights[4 * i + k] = weight(at - first - k);
      sum += weights[4 * i + k];
    }
    for (let k = 0; k < 4; k += 1) weights[4 * i + k] /= sum;
  }
  return { places, weights };
}

// Colours count by how much of them shows, so that what is transparent does not bleed.
function premultiplied(data) {
  const values = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3] / 255;
    for (let c = 0; c < 3; c += 1) values[i + c] = data[i + c] * alpha;
    values[i + 3] = data[i + 3];
  }
  return values;
}

function widened(data, y, from, { places, weights }, to) {
  const row = new Float32Array(4 * to);
  const values = premultiplied(data.subarray(4 * y * from, 4 * (y + 1) * from));
  for (let x = 0; x < to; x += 1) {
    for (let k = 0; k < 4; k += 1) {
      const at = 4 * places[4 * x + k], share = weights[4 * x + k];
      for (let c = 0; c < 4; c += 1) row[4 * x + c] += values[at + c] * share;
    }
  }
  return row;
}

function enlarged({ data, width: from, height: rows }, width, height) {
  const across = taps(from, width), down = taps(rows, height);
  const ready = new Map();
  const result = new ImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    const four = [];
    for (let k = 0; k < 4; k += 1) {
      const place = down.places[4 * y + k];
      if (!ready.has(place)) ready.set(place, widened(data, place, from, across, width));
      four.push(ready.get(place));
    }
    for (const place of ready.keys()) if (place < down.places[4 * y]) ready.delete(place);
    const [a, b, c, d] = four, at = 4 * y;
    const [wa, wb, wc, wd] = down.weights.subarray(at, at + 4);
    const start = 4 * y * width;
    for (let i = 0; i < 4 * width; i += 4) {
      const mix = (j) => a[j] * wa + b[j] * wb + c[j] * wc + d[j] * wd;
      const alpha = Math.min(255, Math.max(0, mix(i + 3)));
      const back = alpha ? 255 / alpha : 0;
      result.data[start + i] = mix(i) * back;
      result.data[start + i + 1] = mix(i + 1) * back;
      result.data[start + i + 2] = mix(i + 2) * back;
      result.data[start + i + 3] = alpha;
    }
  }
  return result;
}

onmessage = ({ data: { bitmap, width, height, number } }) => {
  const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const source = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(enlarged(source, width, height), 0, 0);
  const result = canvas.transferToImageBitmap();
  postMessage({ result, number }, [result]);
};
